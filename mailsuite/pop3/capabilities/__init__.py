"""One module a capability (RFC 2449 §6); each names its `mailsuite.pop3.command.Capability` as ``PART``."""
