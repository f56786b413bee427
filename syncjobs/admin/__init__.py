"""Admin pages of connections, routes, mirrors, links, runs, questions, alerts, the inbox, and contacts' additions."""

from syncjobs.admin import alerts, connections, duplicates, inbox, links, mirrors, reviews, routes, runs

__all__ = ["alerts", "connections", "duplicates", "inbox", "links", "mirrors", "reviews", "routes", "runs"]
