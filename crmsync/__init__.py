"""Settings, URLs, authentication and errors: assembles the other apps, and nothing imports it."""
