"""What the adapters of remote providers share: settings, connections, server-sent events, the meaning of failures."""
