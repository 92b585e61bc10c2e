"""The directory: accounts, lookups, passwords."""
