"""Admin pages of everything that the engine keeps, and what it adds to those of contacts."""

from syncjobs.admin import (
    alerts,
    connections,
    duplicates,
    inbox,
    links,
    mirrors,
    plans,
    reviews,
    routes,
    run_outcomes,
    runs,
)

__all__ = [
    "alerts",
    "connections",
    "duplicates",
    "inbox",
    "links",
    "mirrors",
    "plans",
    "reviews",
    "routes",
    "run_outcomes",
    "runs",
]
