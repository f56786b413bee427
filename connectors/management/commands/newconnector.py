"""The first step of connecting a system that the hub does not know yet; docs/en/connectors.md tells the others."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from connectors.scaffolding import NameRefused, write_connector


class Command(BaseCommand):
    help = "Writes the folder of a new connector, which passes every check at once and waits to be filled."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="of the folder and in addresses: small letters, digits and _")
        parser.add_argument("--label", default="", help="what people see, for instance “Acme CRM”")
        parser.add_argument("--into", type=Path, help="another folder of connectors than our own")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            folder = write_connector(options["name"], options["label"], options["into"])
        except NameRefused as e:
            raise CommandError(str(e), returncode=2) from e
        except OSError as e:
            sentence = _("The folder cannot be written: %(why)s.") % {"why": e.strerror}
            raise CommandError(sentence, returncode=2) from e
        if options["verbosity"]:
            self.stdout.write(
                _("Written to %(folder)s. docs/en/connectors.md tells what comes next.") % {"folder": folder}
            )
