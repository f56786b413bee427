"""Runs the background worker under a supervisor."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from crmsync.supervisor import Patience, Supervisor


class Command(BaseCommand):
    help = "Runs the background worker and replaces it when it hangs. SIGTERM ends it after the tasks at hand."

    def add_arguments(self, parser: ArgumentParser) -> None:
        standard = Patience()
        parser.add_argument("--grace", type=float, default=standard.grace, help="seconds the tasks at hand may take")
        parser.add_argument("--probe-every", type=float, default=standard.probe_every, help="seconds between probes")
        parser.add_argument("--silence", type=float, default=standard.silence, help="seconds until it counts as hung")

    def handle(self, *args: Any, **options: Any) -> None:
        patience = Patience(grace=options["grace"], probe_every=options["probe_every"], silence=options["silence"])
        sys.exit(Supervisor(patience).run())
