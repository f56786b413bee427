"""What goes wrong with the embedded server, in sentences."""


class EmbeddedServerError(Exception):
    """The embedded PostgreSQL cannot be installed, started or stopped; the message says what to do."""
