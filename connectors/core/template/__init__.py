"""Template CRM."""
