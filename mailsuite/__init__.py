"""A mail suite on Twisted: MTA, MSA, MDA and POP3 services that share one reactor."""

__version__ = "0.1.0"
