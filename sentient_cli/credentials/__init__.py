"""Credentials: named secrets in profiles, kept in stores, found in a declared order, handed out on the record."""
