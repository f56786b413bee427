"""Admin pages of connections, routes, links, mirrors, runs and the inbox, and what they add to the page of contacts."""

from syncjobs.admin import connections, inbox, links, mirrors, routes, runs

__all__ = ["connections", "inbox", "links", "mirrors", "routes", "runs"]
