"""One module a target, each with a ``PART``."""
