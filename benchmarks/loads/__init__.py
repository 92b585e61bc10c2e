"""Clients that send and fetch mail."""
