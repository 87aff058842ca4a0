"""The client of the wire: ask an agent, read its events, resume, stop."""
