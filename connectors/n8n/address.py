"""Where a workflow takes contacts in: the address that a person copied from its webhook node (sheet 1)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from connectors.core.base import Context
from connectors.core.errors import ApiError, ErrorKind

NOT_AN_ADDRESS = (
    "The webhook's address must be a whole one, such as https://n8n.example.com/webhook/contacts: copy it from the"
    " webhook node."
)
_TEST = "/webhook-test/"
_PRODUCTION = "/webhook/"


@dataclass(frozen=True, slots=True)
class Address:
    """`origin` is scheme, host and port; `path` all behind them, a query too; `base` where n8n itself is.

    An instance may have renamed the parts of its addresses, so nothing is ever put together from them.
    """

    origin: str
    path: str
    base: str

    @property
    def host(self) -> str:
        return self.origin.split("://")[-1]

    @property
    def is_test(self) -> bool:
        """Whether it works only while somebody listens in the editor."""
        return _TEST in self.path

    def leads_to(self, node_path: str) -> bool:
        """Whether this is the address of a webhook node with that path. Letters of other case are another path."""
        wanted = [part for part in node_path.split("/") if part]
        given = [part for part in urlsplit(self.path).path.split("/") if part][-len(wanted) :]
        return len(given) == len(wanted) and all(
            theirs.startswith(":") or theirs == ours for theirs, ours in zip(wanted, given, strict=True)
        )


def address_of(context: Context) -> Address:
    """Raises ApiError (AUTH) for what is no address: it is a secret, as it may be all that is asked for."""
    text = context.secret("webhook_url").strip()
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or len(parts.path) < 2:
        raise ApiError(ErrorKind.AUTH, NOT_AN_ADDRESS)
    origin = f"{parts.scheme}://{parts.netloc}"
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    given = str(context.config.get("base_url") or "").rstrip("/").removesuffix("/api/v1")
    return Address(origin, path, given or origin + _folder(parts.path))


def _folder(path: str) -> str:
    """The folder that n8n is served from, "" for none or where it does not show."""
    for part in (_TEST, _PRODUCTION):
        folder, found, _ = path.partition(part)
        if found:
            return folder
    return ""
