"""Admin pages of connections, routes, links, mirrors, runs, reviews, alerts, the inbox, and what they add to contacts."""

from syncjobs.admin import alerts, connections, inbox, links, mirrors, reviews, routes, runs

__all__ = ["alerts", "connections", "inbox", "links", "mirrors", "reviews", "routes", "runs"]
