import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from syncjobs import demo


class Command(BaseCommand):
    help = "Connects the running sandboxes and queues sample contacts for them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--ports-file", type=Path, required=True, help="what the sandbox command wrote")

    def handle(self, *args: Any, **options: Any) -> None:
        if not demo.wanted():
            raise CommandError("A real system is connected: the demonstration stays away from it.", returncode=2)
        for line in demo.prepare(json.loads(options["ports_file"].read_text())):
            self.stdout.write(line)
