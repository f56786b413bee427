"""Admin pages of connections, links, runs and the inbox, and what they add to the page of contacts."""

from syncjobs.admin import connections, inbox, links, runs

__all__ = ["connections", "inbox", "links", "runs"]
