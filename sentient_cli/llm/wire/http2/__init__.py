"""Connections in HTTP/2, many calls at a time on each. All but `extra` needs the library ``h2``; imported on use."""
