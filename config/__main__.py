"""`python -m config`: the settings as the table that the README shows."""

from config.settings import settings_table

print(settings_table())
