"""REST for contacts: /api/v3/contacts."""
