from typing import Any

from django.core.management.base import CommandError, CommandParser

from syncjobs.console import REFUSED, SyncCommand, progress_bar
from syncjobs.errors import Refused
from syncjobs.pull import pull


class Command(SyncCommand):
    help = "Takes what a connection holds into the hub: what changed since the last time, or everything."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("key", help="the connection's key")
        parser.add_argument("--full", action="store_true", help="read everything, and notice deletions")

    def handle(self, *args: Any, **options: Any) -> None:
        connection = self.connection(options["key"])
        advance, close = progress_bar(f"pull {connection.key}")
        try:
            run = pull(connection, trigger="command", full=options["full"], explicit=True, progress=advance)
        except Refused as e:
            raise CommandError(str(e), returncode=REFUSED) from None
        finally:
            close()
        self.conclude(run, options)
