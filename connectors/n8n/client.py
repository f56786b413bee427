"""A workflow's webhook over HTTP: one POST for each batch, its way of signing in, and what refusals mean."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Sequence
from dataclasses import replace

from connectors.core.base import Context
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.http import ApiClient, Call, never_sent
from connectors.core.replies import Reply
from connectors.core.types import RateLimit
from connectors.n8n.address import Address
from connectors.n8n.packing import Parcel, delivery_of, joined
from connectors.n8n.refusals import A_PAGE, NO_ANSWER, is_page, is_unread, read_refusal
from connectors.n8n.signing import signer

# The answer waits for the workflow in two of three response modes (sheet 5).
TIMEOUT = 300.0
# Less fits into one packet anyway.
WORTH_COMPRESSING = 1400
ENDPOINT = "/webhook"
EVENT = "contacts.upsert"


class WebhookClient(ApiClient):
    """Calls one webhook. Without `rps` there is no limit of ours: n8n has none (sheet 5)."""

    def __init__(
        self, context: Context, address: Address, *, account: str, rps: float, compress: bool, empty_is_good: bool
    ) -> None:
        if context.max_tries > 1:
            context = replace(context, timeout=max(context.timeout, TIMEOUT))
        super().__init__(
            context,
            address.origin,
            limits=(RateLimit(rps, 1.0),) if rps > 0 else (),
            account=account,
            sign=signer(context),
            classify=read_refusal,
        )
        self._path, self._compress, self._empty_is_good = address.path, compress, empty_is_good
        # Whether the workflow answers with a body where it works; None until that is known.
        self._speaks: bool | None = None
        self._asking = threading.Lock()

    def deliver(self, parcels: Sequence[Parcel]) -> Reply:
        """Any 2xx, but for web pages, and for an empty 200 of a workflow that otherwise answers something.

        Raises ApiError: UNKNOWN where the workflow may have run.
        Repeats carry the same ids and the same body, so that the workflow can drop them.
        """
        body = joined(parcels)
        headers = {
            "Content-Type": "application/json",
            "X-Crmsync-Delivery": delivery_of(parcels),
            "X-Crmsync-Event": EVENT,
        }
        packed = self._compress and len(body) > WORTH_COMPRESSING
        try:
            reply = self._post(body, headers, packed)
        except ApiError as e:
            if not (packed and is_unread(e)):
                raise
            # Something before n8n may not know compressed bodies.
            reply = self._post(body, headers, packed=False)
            self._compress = False
        if is_page(reply):
            raise ApiError(ErrorKind.UNKNOWN, A_PAGE, status=reply.status)
        if reply.content.strip():
            self._speaks = True
        elif reply.status == 200 and not self._empty_is_good and self._answers_otherwise():
            # Seen on n8n 2.8.4: a workflow that fails before its Respond to Webhook node is answered so, not with 500.
            raise ApiError(ErrorKind.UNKNOWN, NO_ANSWER, status=200)
        return reply

    def _answers_otherwise(self) -> bool:
        """Whether the workflow answers with a body where nothing can fail: it is sent no contacts once, to find out."""
        with self._asking:
            if self._speaks is None:
                headers = {"Content-Type": "application/json", "X-Crmsync-Event": "test"}
                try:
                    self._speaks = bool(self._post(b"[]", headers, packed=False).content.strip())
                except ApiError as e:
                    if e.kind is not ErrorKind.UNKNOWN and e.kind is not ErrorKind.DATA:
                        raise
                    # It cannot do with nothing, so that tells nothing: the status alone judges.
                    self._speaks = False
            return self._speaks

    def _post(self, body: bytes, headers: dict[str, str], packed: bool) -> Reply:
        if packed:
            body, headers = gzip.compress(body, 1, mtime=0), {**headers, "Content-Encoding": "gzip"}
        try:
            return self.send(
                Call("POST", self._path, endpoint=ENDPOINT, body=body, headers=headers, expects_json=False)
            )
        except ApiError as e:
            raise _uncertain(e) from e

    def probe(self) -> Reply:
        """A call that the workflow does not answer to, unless it takes PATCH as well; raises n8n's refusal of it."""
        return self.send(Call("PATCH", self._path, endpoint=ENDPOINT, expects_json=False))


def _uncertain(error: ApiError) -> ApiError:
    """A failure after which the workflow may have run is UNKNOWN: then the whole contact is sent again."""
    if error.kind is not ErrorKind.TRANSIENT or error.status == 404:
        return error
    if error.status is None and (error.__cause__ is None or never_sent(error.__cause__)):
        return error
    return ApiError(ErrorKind.UNKNOWN, error.message, detail=error.detail, status=error.status)
