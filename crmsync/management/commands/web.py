"""Runs the web server alone."""

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from crmsync import installation, static_files
from crmsync.runner import RunError, Runner, web_command


class Command(BaseCommand):
    help = "Runs the web server alone; `manage.py setup` has to be run before."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8000))
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--processes", type=int, default=1)

    def handle(self, *args: Any, **options: Any) -> None:
        installation.secure()
        try:
            Runner(options["host"], options["port"]).require_free_port()
        except RunError as error:
            raise CommandError(str(error), returncode=2) from error
        static_files.collect()
        self.stdout.write(f"Address: http://{options['host']}:{options['port']}/admin/")
        self.stdout.flush()
        command = web_command(options["host"], options["port"], options["processes"])
        os.execv(sys.executable, command)  # noqa: S606 - gunicorn takes this process's place, and its signals
