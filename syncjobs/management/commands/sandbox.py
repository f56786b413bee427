import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from connectors.core import registry
from connectors.core.testing import SandboxServer


class Command(BaseCommand):
    help = "Serves the stand-ins of the remote systems on loopback ports until it is stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("systems", nargs="*", help="only these systems")
        parser.add_argument("--ports-file", type=Path, help="write the addresses here, as JSON, once all are served")
        parser.add_argument("--hub", default="http://127.0.0.1:8000", help="where their sign-in pages lead back to")
        parser.add_argument("--no-limits", action="store_true", help="do not enforce the documented rate limits")

    def handle(self, *args: Any, **options: Any) -> None:
        slugs = options["systems"] or [s for s in registry.all_connectors() if registry.sandbox_class(s)]
        servers: dict[str, SandboxServer] = {}
        addresses: dict[str, str] = {}
        for slug in slugs:
            try:
                sandbox = registry.sandbox_class(slug)
            except registry.UnknownConnector as e:
                raise CommandError(str(e), returncode=2) from None
            if sandbox is None:
                raise CommandError(f"{slug} has no sandbox.", returncode=2)
            made = sandbox(enforce_limits=not options["no_limits"])
            made.register_hub(options["hub"])
            if made.speaks_http:
                servers[slug] = SandboxServer(made).start()
            addresses[slug] = servers[slug].url if made.speaks_http else made.open()
        for slug, url in addresses.items():
            self.stdout.write(f"{slug}: {url}")
        if options["ports_file"]:
            # Written beside and moved, so that a reader never sees half of it.
            draft = options["ports_file"].with_suffix(".new")
            draft.write_text(json.dumps(addresses))
            draft.replace(options["ports_file"])
        self._wait()
        for server in servers.values():
            server.stop()

    def _wait(self) -> None:
        over = threading.Event()
        parent = os.getppid()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: over.set())
        while not over.wait(1.0):
            if os.getppid() != parent:
                return  # whoever started us is gone
