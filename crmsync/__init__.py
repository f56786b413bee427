"""Settings, URLs, authentication and errors: assembles the other apps, and nothing imports it."""

__version__ = "0.1.0"
