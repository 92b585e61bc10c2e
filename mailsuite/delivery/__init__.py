"""Delivery: a message to its recipients, in mailboxes of ours or at other hosts, with one outcome for each."""
