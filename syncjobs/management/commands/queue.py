import time
from typing import Any

import orjson
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from syncjobs import services
from syncjobs.console import REFUSED, SyncCommand, spoken
from syncjobs.enqueue import Filters
from syncjobs.errors import Refused


class Command(SyncCommand):
    help = "Queues the hub's contacts for a connection: those not in step yet, or with --all every one it can take."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("key", help="the connection's key")
        parser.add_argument("--all", action="store_true", help="also those that were synced before")

    def handle(self, *args: Any, **options: Any) -> None:
        connection = self.connection(options["key"])
        started = time.monotonic()
        try:
            queued = services.queue_filtered(connection, Filters(not_already_synced=not options["all"]))
        except Refused as refused:
            raise CommandError(str(refused), returncode=REFUSED) from None
        duration = int((time.monotonic() - started) * 1000)
        if options["json"]:
            self.stdout.write(orjson.dumps({"queued": queued, "duration_ms": duration}).decode())
        else:
            with spoken():
                text = _("%(n)d contacts are queued for %(crm)s.") % {"n": queued, "crm": connection}
            self.stdout.write(text)
