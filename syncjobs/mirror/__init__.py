"""Tables that follow a remote system: every entity a table, every field a typed column."""
