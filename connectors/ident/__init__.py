"""Patients of the dental clinic system IDENT, read from its SQL Server."""
