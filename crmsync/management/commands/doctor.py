"""Says what is misconfigured, in sentences."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core import checks
from django.core.management.base import BaseCommand
from django.db import DEFAULT_DB_ALIAS, DatabaseError

OUR_APPS = ("crmsync.", "contacts.", "connectors.", "syncjobs.")


class Command(BaseCommand):
    help = "Lists what is misconfigured. Exit status 1 when something has to be mended before crmsync can work."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help="also Django's own advice for public servers")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = checks.run_checks(include_deployment_checks=True, databases=[DEFAULT_DB_ALIAS])
        except DatabaseError as error:
            self.stderr.write(f"The database cannot be used: {error}")
            sys.exit(1)
        shown = [one for one in found if options["all"] or one.level >= checks.ERROR or self.is_ours(one)]
        for one in sorted(shown, key=lambda message: -message.level):
            self.stdout.write(f"{label(one)} {one.id}: {one.msg}" + (f" {one.hint}" if one.hint else ""))
        if not shown:
            self.stdout.write("Nothing is wrong.")
        sys.exit(1 if any(one.level >= checks.ERROR for one in shown) else 0)

    def is_ours(self, message: checks.CheckMessage) -> bool:
        return str(message.id).startswith(OUR_APPS)


def label(message: checks.CheckMessage) -> str:
    if message.level >= checks.ERROR:
        return "Error"
    return "Warning" if message.level >= checks.WARNING else "Hint"
