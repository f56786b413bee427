"""Runs the whole hub on this machine, for a first look and for one person's use."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from crmsync import installation, static_files
from crmsync.runner import RunError, Runner
from syncjobs import demo

RESET = "made earlier; a new one: .venv/bin/python manage.py changepassword {name}"


class Command(BaseCommand):
    help = "Prepares everything, then runs web server and worker, and the sandboxes when no CRM is connected."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8000))
        parser.add_argument("--host", default="127.0.0.1")

    def handle(self, *args: Any, **options: Any) -> None:
        installation.secure()
        runner = Runner(options["host"], options["port"])
        try:
            runner.require_free_port()
            call_command("setup", stdout=self.stdout)
            static_files.collect()
            login = installation.administrator_from_environment() or installation.one_time_administrator()
            connections.close_all()  # child processes connect for themselves
            runner.listen_to_signals()
            self.serve(runner, login)
        except RunError as error:
            raise CommandError(str(error), returncode=2) from error

    def serve(self, runner: Runner, login: installation.Login) -> None:
        try:
            demonstration = demo.wanted()
            if demonstration:
                runner.allow_sandboxes()
            runner.start_web()
            if demonstration:
                runner.start_demonstration()
            runner.start_worker()
            runner.wait_until_ready()
            if not runner.stopping:
                self.introduce(runner, login)
            runner.keep_running()
        finally:
            self.stdout.write("Stopping.")
            runner.stop()

    def introduce(self, runner: Runner, login: installation.Login) -> None:
        first = installation.superusers().first()
        earlier = RESET.format(name=first.username if first else installation.DEFAULT_NAME)
        connections.close_all()
        self.stdout.write(f"Address: http://{runner.address}/admin/")
        self.stdout.write(f"E-mail: {login.email}")
        self.stdout.write(f"Password: {login.password or earlier}")
        self.stdout.write("Ctrl-C stops everything.")
        self.stdout.flush()
