"""The POP3 core, without a reactor."""
