from typing import Any

from django.core.management.base import CommandError, CommandParser

from syncjobs import plan_lines, rehearsal, route_runs, routes
from syncjobs.console import REFUSED, SyncCommand, progress_bar
from syncjobs.errors import Refused


class Command(SyncCommand):
    help = "Carries contacts over the route from one connection to another; makes the route if there is none."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("source", help="the key of the connection that contacts come from")
        parser.add_argument("destination", help="the key of the connection that they go to")
        parser.add_argument("--both", action="store_true", help="changes go both ways")
        parser.add_argument("--full", action="store_true", help="read everything, and notice deletions")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        ends = self.connection(options["source"]), self.connection(options["destination"])
        advance, close = progress_bar(f"{options['source']} → {options['destination']}")
        try:
            if options["dry_run"]:
                route = routes.proposed(*ends, two_way=options["both"])
                done = rehearsal.rehearse(route, trigger="command", full=options["full"], progress=advance)
            else:
                route = routes.between(*ends, two_way=options["both"])
                done = route_runs.run_route(route, trigger="command", full=options["full"], progress=advance)
        except Refused as e:
            raise CommandError(str(e), returncode=REFUSED) from None
        finally:
            close()
        if options["dry_run"] and not options["json"]:
            self.stdout.writelines(plan_lines.lines(done))
        self.conclude_route(done, options)
