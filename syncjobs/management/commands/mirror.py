from typing import Any

from django.core.management.base import CommandError, CommandParser

from syncjobs.console import REFUSED, SyncCommand, progress_bar
from syncjobs.errors import Refused
from syncjobs.mirror import schedule
from syncjobs.mirror.runs import mirror
from syncjobs.models import Run


class Command(SyncCommand):
    help = "Brings the tables of a connection's mirror up to date: with what changed since the last time, or wholly."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("key", help="the connection's key")
        parser.add_argument("entity", nargs="*", help="such as deal or contacts; all of them without")
        parser.add_argument("--full", action="store_true", help="read everything, and notice deletions")
        parser.add_argument("--allow-deletions", action="store_true", help="however many records are gone")

    def handle(self, *args: Any, **options: Any) -> None:
        connection = self.connection(options["key"])
        try:
            names = dict.fromkeys(options["entity"] or schedule.readable(connection))
            chosen = [schedule.entity(connection, name) for name in names]
            runs = [self._mirror(one, options) for one in chosen]
        except Refused as e:
            raise CommandError(str(e), returncode=REFUSED) from None
        self.conclude_all(runs, options)

    def _mirror(self, entity: Any, options: dict[str, Any]) -> Run:
        advance, close = progress_bar(f"mirror {entity}", unit=" records")
        full, deletions = options["full"], options["allow_deletions"]
        try:
            return mirror(entity, trigger="command", full=full, deletions=deletions, progress=advance)
        finally:
            close()
