"""The directory: domains, mailboxes, aliases and passwords, in SQLite, PostgreSQL, a passwd-file, or an LDAP server.

`accounts` changes them where they are ours, `lookup` looks addresses up, `authenticator` checks passwords. One order
of lookup stands in `resolve`, whatever keeps the records.
"""
