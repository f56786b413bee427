"""The engine for SQL Server: `base` is what Django loads."""
