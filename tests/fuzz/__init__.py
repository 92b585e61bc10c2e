"""Anything at all is fed to each core, which must keep its promises: ``python -m tests.fuzz``."""
