"""Policies and the state that they share."""
