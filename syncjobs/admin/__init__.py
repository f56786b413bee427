"""Admin pages of connections, routes, links, mirrors, runs, reviews and the inbox, and what they add to contacts'."""

from syncjobs.admin import connections, inbox, links, mirrors, reviews, routes, runs

__all__ = ["connections", "inbox", "links", "mirrors", "reviews", "routes", "runs"]
