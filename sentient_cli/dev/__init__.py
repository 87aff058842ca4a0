"""Hot reload: a hub without user code, and generations of the agent's code as processes of their own."""
