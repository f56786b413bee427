"""Sentences that were stored in English, in the language of whoever reads them.

Workers store what happened before anybody asks, and connectors know no translations: so a stored text is looked up
when it is shown. One that was made of parts, or came from a remote system, stays as it is.
"""

from __future__ import annotations

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

KNOWN = (
    _("A key is nested too deeply."),
    _("A key is too long."),
    _("An error of crmsync itself stopped the run; its log has the details. It is tried again by itself."),
    _("An error of our own; see the log."),
    _("An existing record was found and linked."),
    _("Another contact with the same e-mail address or id is being sent; merge the two or change one."),
    _("Contact does not have email address"),
    _("It comes from another account."),
    _("It names no record."),
    _("It was deleted at the other end of the route."),
    _("It was removed by hand."),
    _("Nothing follows companies of this connection."),
    _("Nothing follows contacts of this connection."),
    _("Nothing follows deals of this connection."),
    _("Nothing follows leads of this connection."),
    _("Put the user name and password into their own fields, not into the address."),
    _("SITE_URL is not public: the system cannot reach this hub. Changes are read at intervals."),
    _("The account's plan does not allow this (HTTP 402)."),
    _("The address must start with https://; http:// is only for hosts in ALLOW_PRIVATE_HOSTS."),
    _("The address redirects elsewhere; enter the final address."),
    _("The answer was not the expected JSON, or only part of it."),
    _("The body has too many keys."),
    _("The body is too large."),
    _("The connection is disabled."),
    _("The connector gave no outcome for this contact."),
    _("The contact was deleted from the hub."),
    _("The credentials are no longer accepted."),
    _("The credentials lack a permission (HTTP 403)."),
    _("The credentials were refused (HTTP 401)."),
    _("The process that ran it ended without a word."),
    _("The reason was not told."),
    _("The record exists already (HTTP 409)."),
    _("The record has changed in the meantime (HTTP 412)."),
    _("The record is gone (HTTP 410)."),
    _("The record is locked for a moment (HTTP 423)."),
    _("The record is still being processed (HTTP 425)."),
    _("The remote system took too long to answer."),
    _("The run that read the records was cancelled."),
    _("The server waited too long for the request (HTTP 408)."),
    _("The system does not list it."),
    _("The system has disabled it after failed deliveries."),
    _("The worker stopped before the answer was stored; what arrived is looked up before anything is sent again."),
    _("There is no such record (HTTP 404)."),
    _("This is not a web address."),
    _("This system is not known to send webhooks."),
    _("Too many requests (HTTP 429)."),
    _("command"),
    _("decision"),
    _("schedule"),
    _("sweep"),
    _("webhook"),
)


def translated(text: str) -> str:
    """The text, line by line, in the active language where it is known in it."""
    return "\n".join(gettext(line) if line else "" for line in text.split("\n"))
