"""The HTTP API of links, queue and runs."""
