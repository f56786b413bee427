"""Mautic contacts: a marketing system that the customer hosts."""
