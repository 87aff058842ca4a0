"""From a name and settings to a provider: which kinds there are, where keys come from, and who makes them when."""
