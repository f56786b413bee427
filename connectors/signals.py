"""What other apps can hang on."""

from django.dispatch import Signal

sandbox_left = Signal()
"""Sent inside `setup` when a sandbox's connection becomes the real one. Arguments: connection."""

connection_works = Signal()
"""Sent when a connection begins to work (again). Arguments: connection."""

access_given = Signal()
"""Sent when a person's sign-in, or a code of theirs, gave a connection new tokens. Arguments: connection."""
