"""Admin pages of connections, links and runs, and what they add to the page of contacts."""

from syncjobs.admin import connections, links, routes, runs

__all__ = ["connections", "links", "routes", "runs"]
