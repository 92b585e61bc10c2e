"""The configuration: every key in `settings`, read from one TOML file by `load`."""

from mailsuite.config.loading import ConfigError, load
from mailsuite.config.settings import Settings

__all__ = ["ConfigError", "Settings", "load"]
