"""The embedded PostgreSQL: a real server from pip that starts with the first process which needs it.

Every process that connects holds a shared lock for as long as it lives; the one that ends last stops the server. Locks
die with their process, so a killed client leaves nothing behind, and a lost server is started again at the next
connection. Settings only name the server (`database_settings`); the database backend crmsync.postgres starts it.
"""

from functools import cache
from typing import Any

from crmsync.embedded.location import data_home
from crmsync.embedded.server import DATABASE, ROLE, EmbeddedServer

__all__ = ["EmbeddedServer", "data_home", "database_settings", "server"]


@cache
def server() -> EmbeddedServer:
    """This process's handle on the one server of this checkout."""
    return EmbeddedServer(data_home() / "postgres")


def database_settings() -> dict[str, Any]:
    """Django's database settings for the embedded server; starts nothing."""
    return {
        "ENGINE": "crmsync.postgres",
        "NAME": DATABASE,
        "USER": ROLE,
        "PASSWORD": "",
        "HOST": str(server().socket_directory),
        "PORT": "",
    }
