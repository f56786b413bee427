from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from syncjobs.alerts import telling
from syncjobs.alerts.wording import sentence
from syncjobs.console import REFUSED, spoken
from syncjobs.models import Alert


class Command(BaseCommand):
    help = "Lists what is wrong; with --test, sends a test message by e-mail and webhook."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--test", action="store_true", help="send a test message to whoever is told of alerts")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["test"]:
            self._test()
            return
        with spoken():
            self._list()

    def _list(self) -> None:
        alerts = list(Alert.objects.filter(closed_at=None).select_related("connection"))
        for alert in alerts:
            since = date_format(localtime(alert.opened_at), "SHORT_DATETIME_FORMAT")
            self.stdout.write(f"{since}  {sentence(alert)}")
        if not alerts:
            self.stdout.write(_("Nothing is wrong."))

    def _test(self) -> None:
        names = telling.channels()
        if not names:
            raise CommandError("Set EMAIL_URL and ALERT_EMAILS, or ALERT_WEBHOOK_URL.", returncode=REFUSED)
        try:
            telling.tell([])
        except telling.NotTold as e:
            raise CommandError(str(e), returncode=REFUSED) from None
        self.stdout.write(f"Sent by {' and '.join(names)}.")
