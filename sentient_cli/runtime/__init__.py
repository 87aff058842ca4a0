"""What agent authors import: agents, sessions, queries, responses, events; and the run itself."""
