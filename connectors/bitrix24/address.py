"""Where a portal is reached: the address of an incoming webhook, or the portal's own with a token (sheet 1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from connectors.core.base import Context
from connectors.core.errors import ApiError, ErrorKind

_WEBHOOK = re.compile(r"(https?://[^/?#\s]+)/rest/(\d+)/([A-Za-z0-9_-]+)(?:/.*)?")
NOT_A_WEBHOOK = (
    "The webhook's address must look like https://example.bitrix24.ru/rest/1/code/: copy it whole from Bitrix24."
)
NO_PORTAL = "The portal must be its address, such as example.bitrix24.ru."


@dataclass(frozen=True, slots=True)
class Address:
    """`base` is what method names are put behind; `portal` the host, by which limits are counted.

    `by_webhook` is whether the secret is in the address, so that no token is needed and no events can be bound.
    """

    base: str
    portal: str
    by_webhook: bool


def address_of(context: Context) -> Address:
    """Raises ApiError: AUTH for what is no webhook's address, CONFIG for what is no portal."""
    webhook = context.secret("webhook_url").strip()
    if webhook:
        found = _WEBHOOK.fullmatch(webhook)
        if found is None:
            raise ApiError(ErrorKind.AUTH, NOT_A_WEBHOOK)
        return Address(f"{found[1]}/rest/{found[2]}/{found[3]}", urlsplit(found[1]).netloc.lower(), by_webhook=True)
    url = portal_url(context.config)
    return Address(f"{url}/rest", urlsplit(url).netloc.lower(), by_webhook=False)


def portal_url(config: Mapping[str, Any]) -> str:
    """The portal's address from `base_url`, else from `portal` however it was typed. Raises ApiError (CONFIG)."""
    if config.get("base_url"):
        return str(config["base_url"]).rstrip("/")
    typed = str(config.get("portal") or "").strip()
    host = (urlsplit(typed if "//" in typed else f"//{typed}").netloc or "").strip(".")
    if "." not in host:
        raise ApiError(ErrorKind.CONFIG, NO_PORTAL)
    return f"https://{host}"
