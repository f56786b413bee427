from typing import Any

from django.core.management.base import CommandError, CommandParser

from syncjobs.console import REFUSED, SyncCommand
from syncjobs.errors import Refused
from syncjobs.models import Run
from syncjobs.undo import begin, undo


class Command(SyncCommand):
    help = "Takes a finished run back: every value that nobody has changed since becomes what it was before."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("run", type=int, help="the run's number")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        run = Run.objects.select_related("connection").filter(pk=options["run"]).first()
        if run is None:
            raise CommandError(f"There is no run {options['run']}.", returncode=REFUSED)
        try:
            made = undo(run, begin(run, trigger="command", dry_run=options["dry_run"]))
        except Refused as e:
            raise CommandError(e.message, returncode=REFUSED) from None
        self.conclude(made, options)
