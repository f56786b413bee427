from typing import Any

from django.core.management.base import CommandError, CommandParser

from connectors.core import registry
from syncjobs import dryrun
from syncjobs.console import REFUSED, SyncCommand, progress_bar
from syncjobs.push import push


class Command(SyncCommand):
    help = "Sends what is due on a connection."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("key", help="the connection's key")
        parser.add_argument("--limit", type=int, help="at most so many contacts")
        parser.add_argument("--dry-run", action="store_true", help="plan only: nothing is written")

    def handle(self, *args: Any, **options: Any) -> None:
        connection = self.connection(options["key"])
        if not registry.is_writable(connection.connector):
            raise CommandError(f"{connection.spec.label} cannot be written to.", returncode=REFUSED)
        if options["limit"] is not None and options["limit"] < 1:
            raise CommandError("--limit must be 1 or more.", returncode=REFUSED)
        advance, close = progress_bar(f"push {connection.key}")
        try:
            if options["dry_run"]:
                run = dryrun.plan(connection, trigger="command", limit=options["limit"], progress=advance)
            else:
                run = push(connection, trigger="command", limit=options["limit"], progress=advance)
        finally:
            close()
        if options["dry_run"] and not options["json"]:
            for line in dryrun.lines(run):
                self.stdout.write(line)
        self.conclude(run, options)
