"""Prepares the database for running; may be repeated at any time."""

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection

import syncjobs.setup
from crmsync import installation, tasks

SETUP_LOCK = 0x63726D73  # any number of ours; several hosts that start at once take turns


class Command(BaseCommand):
    help = "Creates secrets, tables, groups, schedules, the first administrator and the connections of the environment."

    def handle(self, *args: Any, **options: Any) -> None:
        installation.secure()
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_lock(%s)", [SETUP_LOCK])
        except OperationalError as error:
            raise CommandError(f"The database cannot be used: {error}", returncode=2) from error
        try:
            self.prepare(options["verbosity"])
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [SETUP_LOCK])

    def prepare(self, verbosity: int) -> None:
        call_command("migrate", interactive=False, verbosity=max(0, verbosity - 1))
        self.stdout.write("Tables and roles are up to date.")
        login = installation.administrator_from_environment()
        if login is not None:
            self.stdout.write(f"Administrator: {login.email} ({'made now' if login.password else 'was there'}).")
        tasks.ensure_schedules()
        for line in syncjobs.setup.run():
            self.stdout.write(line)
