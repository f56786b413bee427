"""Brings every stored secret under the first key of CREDENTIAL_KEYS."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from connectors import rotation
from crmsync.audit import trail
from crmsync.models import AuditEntry


class Command(BaseCommand):
    help = (
        "Encrypts every stored secret anew with the first key of CREDENTIAL_KEYS. Put the new key in front of the old"
        " one and restart first. May be repeated. Exit status 1 while secrets are left under another key."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="only say how many secrets still use an old key")

    def handle(self, *args: Any, **options: Any) -> None:
        report = rotation.look() if options["check"] else rotation.rotate()
        if report.rotated:
            trail.record(AuditEntry.Action.ROTATED, "connectors.connection", after={"secrets": report.rotated})
        self.tell(report, rotated=not options["check"])
        sys.exit(1 if report.old or report.unreadable else 0)

    def tell(self, report: rotation.Report, *, rotated: bool) -> None:
        if rotated:
            n = report.rotated
            self.stdout.write(
                ngettext("%(n)d secret was encrypted anew.", "%(n)d secrets were encrypted anew.", n) % {"n": n}
            )
        n = report.old
        if n:
            text = ngettext("%(n)d secret still uses an old key.", "%(n)d secrets still use an old key.", n)
            self.stdout.write(text % {"n": n})
        else:
            self.stdout.write(_("Every secret that can be read uses the first key."))
        if report.unreadable:
            n = report.unreadable
            text = ngettext(
                "%(n)d secret cannot be read with any key: enter it anew.",
                "%(n)d secrets cannot be read with any key: enter them anew.",
                n,
            )
            self.stdout.write(text % {"n": n})
