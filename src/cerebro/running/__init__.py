"""Locks, and what runs at the moment."""
