"""Watches files: which matter, what has changed, and what the system does not tell."""
