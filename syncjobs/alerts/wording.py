"""Alerts in words, made when somebody reads them, in the reader's language."""

from __future__ import annotations

from datetime import datetime

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from syncjobs.models import Alert, AlertKind
from syncjobs.sentences import translated


def sentence(alert: Alert) -> str:
    """What is wrong, in one sentence or two."""
    facts, told = alert.facts, {"crm": alert.connection}
    match alert.kind:
        case AlertKind.ATTENTION:
            problem = translated(facts.get("problem", ""))
            return _("%(crm)s needs attention: %(problem)s") % {**told, "problem": problem}
        case AlertKind.FAILURES:
            failed, tried = facts.get("failed", 0), facts.get("tried", 0)
            text = _("%(crm)s: %(failed)s of %(tried)s records failed within an hour.")
            return text % {**told, "failed": failed, "tried": tried}
        case AlertKind.STUCK:
            minutes = facts.get("minutes", 0)
            text = ngettext(
                "%(crm)s: what is queued has waited %(n)d minute.",
                "%(crm)s: what is queued has waited %(n)d minutes.",
                minutes,
            )
            return text % {**told, "n": minutes}
    text = ngettext(
        "%(crm)s has brought no change since %(since)s; in the same hours last week %(n)d run did.",
        "%(crm)s has brought no change since %(since)s; in the same hours last week %(n)d runs did.",
        facts.get("usual", 0),
    )
    return text % {**told, "since": _time(facts.get("since", "")), "n": facts.get("usual", 0)}


def advice(alert: Alert) -> str:
    """The one thing to do about it."""
    return {
        AlertKind.ATTENTION.value: _("Check its settings"),
        AlertKind.FAILURES.value: _("See what failed"),
        AlertKind.STUCK.value: _("See its runs"),
        AlertKind.SILENCE.value: _("See its runs"),
    }[alert.kind]


def _time(text: str) -> str:
    return date_format(localtime(datetime.fromisoformat(text)), "SHORT_DATETIME_FORMAT") if text else "?"
