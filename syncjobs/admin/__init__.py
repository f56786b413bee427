"""Admin pages of connections, routes, links, runs, reviews and the inbox, and what they add to the page of contacts."""

from syncjobs.admin import connections, inbox, links, reviews, routes, runs

__all__ = ["connections", "inbox", "links", "reviews", "routes", "runs"]
