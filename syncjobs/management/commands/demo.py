import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from syncjobs import demo


class Command(BaseCommand):
    help = "Connects the running sandboxes and queues sample contacts for them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--ports-file", type=Path, required=True, help="what the sandbox command wrote")
        parser.add_argument("--hub", default="http://127.0.0.1:8000", help="the address the sandboxes know of")

    def handle(self, *args: Any, **options: Any) -> None:
        if not demo.wanted():
            raise CommandError("A real system is connected: the demonstration stays away from it.", returncode=2)
        for line in demo.prepare(json.loads(options["ports_file"].read_text()), options["hub"]):
            self.stdout.write(line)
