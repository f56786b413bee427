"""Admin pages of connections, routes, mirrors, links, runs, questions, alerts, the inbox, and contacts' additions."""

from syncjobs.admin import alerts, connections, inbox, links, mirrors, reviews, routes, runs

__all__ = ["alerts", "connections", "inbox", "links", "mirrors", "reviews", "routes", "runs"]
