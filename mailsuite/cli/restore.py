"""``mailsuite restore``."""

from mailsuite.cli.backup import restore

__all__ = ["restore"]
