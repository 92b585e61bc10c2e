"""One module a mechanism; each names its class as ``PART``."""
