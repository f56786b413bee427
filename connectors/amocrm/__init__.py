"""amoCRM and Kommo, API v4: contacts."""
