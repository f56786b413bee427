"""The command of the seed that describes a clinic's database: what its database has and lacks."""

from __future__ import annotations

import orjson
from django.core.management.base import CommandError, CommandParser

from connectors import services as connections
from connectors.core.errors import ApiError
from connectors.core.types import Inspection
from connectors.models import Connection
from syncjobs.console import REFUSED, SyncCommand
from syncjobs.sentences import translated

SLUG = "ident"


class InspectCommand(SyncCommand):
    help = "Says which views, columns and rights of IDENT's database are missing or too many. Shows no patients."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", nargs="?", default=SLUG, help="the connection's key, where there are several")
        parser.add_argument("--json", action="store_true", help="print one line of JSON")

    def handle(self, *args: object, **options: object) -> None:
        found = _inspected(self.connection(str(options["key"])))
        if options["json"]:
            told = {"facts": dict(found.facts), "problems": found.problems, "warnings": found.warnings}
            self.stdout.write(orjson.dumps({"ok": not found.problems, **told}).decode())
        else:
            for name, value in found.facts.items():
                self.stdout.write(f"{name.replace('_', ' ')}: {_shown(value)}")
            for sentence in found.warnings:
                self.stdout.write(f"Warning: {translated(sentence)}")
            if not found.problems:
                self.stdout.write("Nothing is missing.")
        if found.problems:
            raise CommandError("\n".join(translated(sentence) for sentence in found.problems), returncode=REFUSED)


def _inspected(connection: Connection) -> Inspection:
    """Exits with 2 and a sentence when the database cannot be asked."""
    try:
        connector = connections.open_connector(connection, patient=False)
        try:
            return connector.inspect()
        finally:
            connector.close()
    except ApiError as e:
        raise CommandError(translated(e.message), returncode=REFUSED) from None


def _shown(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
