"""What every process of `dev` shares: what it is told, what it imports first, and its end."""
