"""Where credentials are kept: an adapter for each kind of store. None knows of another; each is loaded on first use."""
