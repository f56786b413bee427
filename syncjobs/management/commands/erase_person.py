import sys
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from syncjobs.console import REFUSED, SOME_FAILED
from syncjobs.errors import Refused
from syncjobs.people import erasing, finding
from syncjobs.people.records import FAILED


class Command(BaseCommand):
    help = "Erases a person from the hub, with --everywhere from the connected systems as well, and prints the report."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("person", help="the contact's id, or an e-mail that no other contact has")
        parser.add_argument(
            "--everywhere", action="store_true", help="delete the records in the connected systems, too"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            person = finding.find(options["person"])
            if not options["yes"]:
                self.ask(person, everywhere=options["everywhere"])
            report = erasing.erase(person, by="command", everywhere=options["everywhere"])
        except Refused as e:
            raise CommandError(e.message, returncode=REFUSED) from None
        self.stdout.write(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())
        if any(record["outcome"] == FAILED for record in report["records"]):
            sys.exit(SOME_FAILED)

    def ask(self, person: finding.Person, *, everywhere: bool) -> None:
        """Raises Refused unless somebody at a terminal types yes."""
        number = sum(map(len, [*person.records.values(), *person.strays.values()])) if everywhere else 0
        question = _("Erase contact %(id)s and %(n)d of their records elsewhere? This cannot be undone. [yes/no] ")
        if not sys.stdin.isatty():
            raise Refused(_("Nobody is there to be asked: add --yes."), "not_confirmed")
        if input(question % {"id": person.id, "n": number}).strip().lower() != "yes":
            raise Refused(_("Nothing was erased."), "not_confirmed")
