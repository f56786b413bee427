"""The database backend of the embedded server.

Starting at the first connection, not when settings are read, keeps type checks, schema generation and system checks
free of a running server.
"""

from typing import Any

from django.db import OperationalError
from django.db.backends.postgresql import base

from crmsync import embedded
from crmsync.embedded.errors import EmbeddedServerError


class DatabaseWrapper(base.DatabaseWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        try:
            embedded.server().ensure_running()
        except EmbeddedServerError as error:
            raise OperationalError(str(error)) from error
        return super().get_connection_params()
