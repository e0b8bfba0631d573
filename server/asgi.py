"""`server.asgi:app`, for Gunicorn: the only module that does something when it is imported."""

from config.logging import configure_logging
from config.settings import Settings, forget_secrets
from server.app import create_app

_settings = Settings()
forget_secrets()  # from here on this worker starts lanes and decoders; its master keeps what it needs for a reload
configure_logging(_settings.log_level, _settings.log_format)
app = create_app(_settings)
