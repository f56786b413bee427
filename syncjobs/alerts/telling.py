"""Tells people of alerts, by e-mail and webhook: once when one begins, daily while it lasts, once when it is over."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import requests
from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from connectors.core.errors import ApiError
from connectors.core.netguard import AllowedHosts, GuardedAdapter, check_url
from syncjobs.alerts.keeping import SETTLING
from syncjobs.alerts.wording import sentence
from syncjobs.models import Alert

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 10


class NotTold(Exception):
    """No channel took the message; the text says why."""


def channels() -> list[str]:
    """The ways that are set up: "e-mail", "webhook"."""
    return [name for name, given in (("e-mail", _mailed_to()), ("webhook", settings.ALERT_WEBHOOK_URL)) if given]


@transaction.atomic
def tell_due() -> int:
    """Tells what nobody has been told of yet, all in one message; the number of alerts in it.

    What could not be told stays due for the next time.
    """
    now = timezone.now()
    again = now - timedelta(hours=settings.ALERT_REPEAT_HOURS)
    heard = Q(quiet_until=None) | Q(quiet_until__lt=now)
    opened = Q(Q(told_at=None) | Q(told_at__lt=again), closed_at=None)
    over = Q(closed_at__lt=now - SETTLING, closing_told=False, told_at__isnull=False)
    # Locked while they are being told: two workers must not tell the same.
    due = Alert.objects.select_for_update(of=("self",), skip_locked=True).filter(heard, opened | over)
    alerts = list(due.select_related("connection").order_by("id")) if channels() else []
    if not alerts:
        return 0
    try:
        tell(alerts)
    except NotTold as e:
        log.warning("alerts could not be told: %s", e)
        return 0
    Alert.objects.filter(pk__in=[alert.pk for alert in alerts if alert.closed_at is None]).update(told_at=now)
    Alert.objects.filter(pk__in=[alert.pk for alert in alerts if alert.closed_at]).update(closing_told=True)
    return len(alerts)


def tell(alerts: Sequence[Alert]) -> None:
    """Sends one message about the alerts to every channel; a test message about none.

    Raises NotTold when no channel took it: with one that did, repeating it for the others would be a storm.
    """
    problems = []
    with translation.override(settings.ALERT_LANGUAGE):
        subject, lines = _subject(alerts), [_line(alert) for alert in alerts]
        for name in channels():
            try:
                {"e-mail": _mail, "webhook": _post}[name](subject, lines, alerts)
            except (OSError, ApiError) as e:
                problems.append(f"{name}: {e}")
    if len(problems) == len(channels()):
        raise NotTold("; ".join(problems))
    for problem in problems:
        log.warning("an alert was told, but not by %s", problem)


def _mailed_to() -> list[str]:
    return settings.ALERT_EMAILS if settings.EMAIL_URL else []


def _subject(alerts: Sequence[Alert]) -> str:
    if not alerts:
        return _("crmsync: a test of the alerts")
    names = ", ".join(dict.fromkeys(str(alert.connection) for alert in alerts))
    if all(alert.closed_at for alert in alerts):
        return _("crmsync: %(names)s works again") % {"names": names}
    return _("crmsync: %(names)s needs a look") % {"names": names}


def _line(alert: Alert) -> str:
    text = sentence(alert)
    return _("Over: %(sentence)s") % {"sentence": text} if alert.closed_at else text


def _mail(subject: str, lines: Sequence[str], alerts: Sequence[Alert]) -> None:
    body = "\n\n".join([*lines, settings.SITE_URL + reverse("admin:index")])
    send_mail(subject.replace("\n", " "), body, settings.DEFAULT_FROM_EMAIL, _mailed_to())


def _post(subject: str, lines: Sequence[str], alerts: Sequence[Alert]) -> None:
    """A JSON object whose `text` chat systems show; redirects are not followed."""
    told = [_told(alert, line) for alert, line in zip(alerts, lines, strict=True)]
    body = {"text": "\n".join([subject, *lines]), "alerts": told}
    url = settings.ALERT_WEBHOOK_URL
    check_url(url, AllowedHosts(settings.ALLOW_PRIVATE_HOSTS))
    with requests.Session() as session:
        session.trust_env = False
        for scheme in ("https://", "http://"):
            session.mount(scheme, GuardedAdapter(settings.ALLOW_PRIVATE_HOSTS, 1))
        answer = session.post(url, json=body, timeout=TIMEOUT_SECONDS, allow_redirects=False)
    if not answer.ok or answer.is_redirect:
        raise OSError(f"the webhook for alerts answered {answer.status_code}")


def _told(alert: Alert, line: str) -> dict[str, Any]:
    return {
        "connection": alert.connection.key,
        "kind": alert.kind,
        "sentence": line,
        "since": alert.opened_at.isoformat().replace("+00:00", "Z"),
        "over": alert.closed_at is not None,
    }
