"""Mail servers of other makes, each set up as an exchanger of a domain with mailboxes, to relay its own mail to us."""
