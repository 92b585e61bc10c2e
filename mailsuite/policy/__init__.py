"""Policies: who may send where, and how often anybody may try."""
