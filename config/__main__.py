"""`python -m config`: every setting, its default and its meaning, as docs/configuration.md has them."""

from config.reference import settings_reference

print(settings_reference())
