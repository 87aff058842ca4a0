"""Where runs and state are kept: the ports, and their adapters in memory, in SQLite and in files."""
