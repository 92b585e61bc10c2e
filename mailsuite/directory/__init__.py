"""The directory: domains, mailboxes, aliases and passwords, in SQLite.

`accounts` changes them, `sqlite` looks addresses up, `authenticator` checks passwords. One order of lookup stands in
`resolve`, whatever keeps the records.
"""
