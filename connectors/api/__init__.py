"""The HTTP API of connections."""
