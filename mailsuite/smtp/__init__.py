"""SMTP as a pure protocol: bytes in, events and bytes out (RFC 5321)."""
