from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from syncjobs.console import REFUSED
from syncjobs.errors import Refused
from syncjobs.people import exporting, finding


class Command(BaseCommand):
    help = "Prints everything that the hub knows of a person, as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("person", help="the contact's id, or an e-mail that no other contact has")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            told = exporting.export(finding.find(options["person"]))
        except Refused as e:
            raise CommandError(e.message, returncode=REFUSED) from None
        self.stdout.write(exporting.as_json(told).decode())
