"""The engine for PostgreSQL, where the stand-in lives: `base` is what Django loads."""
