"""Mailboxes on disk: Maildir written durably, and read as a locked snapshot."""
