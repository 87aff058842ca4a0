"""A process that keeps the passphrase of an encrypted file for a while, in memory, for this user's other processes."""
