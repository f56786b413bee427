"""Contacts from files: CSV and vCard, read as streams."""
