"""POP3 (RFC 1939), server side, pure: bytes in, questions and responses out."""
