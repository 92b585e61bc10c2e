"""The domain name system, asked as a stub resolver does: a validating or forwarding server does the work."""
