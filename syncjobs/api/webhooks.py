"""Where remote systems deliver their webhooks: /api/v1/webhooks/{connector}/{event_type}[/{token}].

A plain view: it looks up the token in memory, stores the body by one statement and answers. What a body says is found
out by the worker, so that a burst is taken in at the pace of the database alone.
"""

from __future__ import annotations

from django.conf import settings
from django.core.cache import caches
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from connectors.core import registry
from connectors.core.forms import FormLimits, Malformed, check_form
from syncjobs import inbox, webhook_tokens

LIMITS = FormLimits()
GUESSES_A_MINUTE = 60
_ACCEPTED = b'{"status": "ok"}'


@csrf_exempt
def receive(request: HttpRequest, connector: str, event_type: str, token: str = "") -> HttpResponse:
    """200 once the webhook is stored. The token is the address's last part or `?token=`; unknown events are stored too.

    401 without the connection's token, 413 for a body over the limit, 400 for one that cannot be read, 405 for anything
    but POST, 429 for whoever goes on guessing.
    """
    if request.method != "POST":
        return _only_post(request)
    given = token or request.GET.get("token", "")
    # Where the address tells who is calling, a stranger's body is not even read.
    sender = webhook_tokens.sender(connector, given) if given else None
    if given and sender is None:
        return _stranger(request)
    length = request.META.get("CONTENT_LENGTH") or ""
    if length.isdecimal() and int(length) > LIMITS.size:
        return _too_large()
    try:
        body = request.body
        check_form(body, LIMITS)
    except UnreadablePostError:
        return _refuse(400, _("The body ended too early."), "body_incomplete")
    except Malformed:
        return _too_large()
    sender = sender or _sender_in(connector, body)
    if sender is None:
        return _stranger(request)
    if not body:
        return _refuse(400, _("The body is empty."), "body_empty")
    inbox.accept(sender.connection_id, event_type, request.META.get("CONTENT_TYPE", ""), body)
    return HttpResponse(_ACCEPTED, content_type="application/json")


@csrf_exempt
def receive_all(request: HttpRequest, system: str) -> HttpResponse:
    """As `receive`, for systems that send all events to one address, under any of the connector's names."""
    named = (slug for slug, known in registry.all_connectors().items() if system in (slug, *known.spec.aliases))
    return receive(request, next(named, system), inbox.ALL_EVENTS)


def _only_post(request: HttpRequest) -> HttpResponse:
    asks = request.method == "OPTIONS"
    answer = HttpResponse() if asks else _refuse(405, _("Webhooks are delivered by POST."), "method_not_allowed")
    answer["Allow"] = "POST, OPTIONS"
    return answer


def _sender_in(connector: str, body: bytes) -> webhook_tokens.Sender | None:
    known = registry.all_connectors().get(connector)
    token = known.webhooks.token_in(body) if known is not None and known.webhooks is not None else ""
    return webhook_tokens.sender(connector, token) if token else None


def _stranger(request: HttpRequest) -> HttpResponse:
    """Counted by address in this process: the brake spares work, the length of tokens is what protects."""
    cache, key = caches["process"], f"webhooks.guesses.{_address(request)}"
    cache.add(key, 0, 60)
    try:
        guesses = cache.incr(key)
    except ValueError:
        guesses = 1  # the minute has just ended
    if guesses > GUESSES_A_MINUTE:
        refusal = _refuse(429, _("Too many wrong tokens: try again in a minute."), "throttled")
        refusal["Retry-After"] = "60"
        return refusal
    return _refuse(401, _("This address is not registered for webhooks, or its token is wrong."), "token_invalid")


def _address(request: HttpRequest) -> str:
    """Who is calling, as the outermost proxy that is trusted tells it."""
    proxies = settings.TRUSTED_PROXIES
    hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    told = hops[-min(proxies, len(hops))].strip() if proxies else ""
    return (told or str(request.META.get("REMOTE_ADDR", "")))[:100].replace(" ", "")


def _too_large() -> HttpResponse:
    return _refuse(413, _("The body is too large or has too many keys."), "body_too_large")


def _refuse(status: int, sentence: str, code: str) -> HttpResponse:
    return JsonResponse({"error": sentence, "code": code}, status=status)
