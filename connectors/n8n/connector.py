"""The n8n connector: its spec, and the verbs of a system that is only written to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from connectors.core.base import Connector, Context
from connectors.core.delivery import Delivery
from connectors.core.errors import ApiError, ErrorKind
from connectors.core.types import (
    CONTACTS,
    Auth,
    Capabilities,
    Change,
    ConfigField,
    ConfigKind,
    ConnectorSpec,
    DefaultRule,
    Direction,
    FieldSpec,
    Health,
    Outcome,
    Prepared,
)
from connectors.n8n import catalogue
from connectors.n8n.address import address_of
from connectors.n8n.client import WebhookClient
from connectors.n8n.publicapi import PublicApi
from connectors.n8n.refusals import TEST_ADDRESS, other_methods
from connectors.n8n.signing import ALGORITHMS, NONE, way_in
from connectors.n8n.writing import Writer

BATCH = 500
# Many proxies end larger requests, whatever n8n itself takes (sheet 2).
BATCH_BYTES = 1_000_000

_NO_SIZE = "Contacts and bytes per request have to be 1 or more."
_UNTESTED = "Whether n8n accepts the credentials shows with the first contacts: testing them would run the workflow."
_RAN = (
    "The webhook takes PATCH too, so that this test has run the workflow, with no contacts: allow POST alone in the"
    " webhook node."
)

CONFIG = (
    ConfigField(
        "webhook_url",
        "Webhook address",
        ConfigKind.SECRET,
        signs_in=True,
        help="The Production URL of the workflow's webhook node, whole. The node's method has to be POST.",
    ),
    ConfigField("auth_header", "Header name", help="Of a node with Header Auth, such as X-Crmsync-Token."),
    ConfigField("auth_value", "Header value", ConfigKind.SECRET),
    ConfigField("username", "User name", help="Of a node with Basic Auth."),
    ConfigField("password", "Password", ConfigKind.SECRET),
    ConfigField(
        "jwt_secret",
        "JWT secret",
        ConfigKind.SECRET,
        help="Of a node with JWT Auth: the passphrase, or a private key in PEM form.",
    ),
    ConfigField(
        "jwt_algorithm",
        "JWT algorithm",
        ConfigKind.CHOICE,
        default=ALGORITHMS[0],
        choices=tuple((name, name) for name in ALGORITHMS),
        advanced=True,
    ),
    ConfigField(
        "base_url",
        "Address of n8n",
        ConfigKind.URL,
        advanced=True,
        help="As in the browser, for the API key; empty: that of the webhook.",
    ),
    ConfigField(
        "api_key",
        "API key",
        ConfigKind.SECRET,
        help="Optional: lets the test of the connection see that the workflow is active and fits. Sends no contacts.",
    ),
    ConfigField(
        "batch_size",
        "Contacts per request",
        ConfigKind.INTEGER,
        default=BATCH,
        advanced=True,
        help="Fewer where the workflow works long on each contact.",
    ),
    ConfigField(
        "batch_bytes",
        "Bytes per request",
        ConfigKind.INTEGER,
        default=BATCH_BYTES,
        advanced=True,
        help="Before compression. n8n takes 16777216 (N8N_PAYLOAD_SIZE_MAX), many proxies 1000000.",
    ),
    ConfigField("gzip", "Compress requests", ConfigKind.BOOLEAN, default=True, advanced=True),
    ConfigField(
        "empty_is_good",
        "Empty answers are good",
        ConfigKind.BOOLEAN,
        default=False,
        advanced=True,
        help="For a workflow that answers only at times. An empty answer of one that otherwise answers is a failure.",
    ),
    ConfigField(
        "rps",
        "Requests per second",
        ConfigKind.NUMBER,
        advanced=True,
        help="n8n has no limit; set one to spare a small server. Empty or 0: none.",
    ),
)

SPEC = ConnectorSpec(
    slug="n8n",
    label="n8n",
    auth=Auth.URL_SECRET,
    config=CONFIG,
    entities={CONTACTS: Capabilities(write=True, write_batch=BATCH, upsert_key="id", max_in_flight=4)},
    match_order=("id",),
)


class N8n(Connector):
    """One webhook of one workflow. Raises ApiError where its address is none, or the way of signing in is unclear."""

    spec = SPEC

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.address = address_of(context)
        self.client = WebhookClient(
            context,
            self.address,
            account=self.account_key(),
            rps=float(self.config.get("rps") or 0),
            compress=self.config.get("gzip") is not False,
            empty_is_good=bool(self.config.get("empty_is_good")),
        )

    @classmethod
    def default_rules(cls, config: Mapping[str, Any]) -> Sequence[DefaultRule]:
        named = {
            "email": "email",
            "first_name": "firstName",
            "last_name": "lastName",
            "middle_name": "middleName",
            "phone": "phone",
            "company": "company",
            "job_title": "jobTitle",
            "birth_date": "birthDate",
        }
        return [DefaultRule(ours, theirs, Direction.PUSH) for ours, theirs in named.items()]

    def check(self) -> Health:
        """Neither sends contacts nor runs the workflow, unless its webhook takes PATCH as well; then it says so."""
        warnings = [TEST_ADDRESS] if self.address.is_test else []
        workflow = ""
        if self.context.secret("api_key"):
            workflow, unwise = self._ask_api()
            warnings += unwise
        warnings += self._ask_webhook()
        return Health(
            "The n8n webhook is there and takes contacts.",
            account=f"{workflow} ({self.address.host})" if workflow else self.address.host,
            account_id=self.address.host,
            warnings=tuple(warnings),
        )

    def _ask_api(self) -> tuple[str, tuple[str, ...]]:
        api = PublicApi(self.context, self.address, account=self.account_key())
        try:
            return api.check(way_in(self.context))
        finally:
            api.close()

    def _ask_webhook(self) -> Iterator[str]:
        """Warnings. A webhook that is there names the methods it takes instead of ours (sheet 7)."""
        try:
            self.client.probe()
        except ApiError as e:
            if "POST" not in other_methods(e.body):
                raise
        else:
            yield _RAN
        if way_in(self.context) != NONE:
            yield _UNTESTED

    def describe(self, entity: str = CONTACTS) -> list[FieldSpec]:
        return catalogue.described()

    def prepare(self, entity: str, wanted: Sequence[str]) -> Prepared:
        return catalogue.prepared(wanted)

    def write(self, entity: str, changes: Iterable[Change]) -> Iterator[Outcome]:
        writer = Writer(self.client, self._positive("batch_size", BATCH), self._positive("batch_bytes", BATCH_BYTES))
        in_flight = self.capabilities(entity).max_in_flight
        return Delivery(changes, writer.batcher, writer.send, in_flight=in_flight, log=self.context.log).run()

    def _positive(self, name: str, default: int) -> int:
        """Raises ApiError (CONFIG) for a setting that is no size."""
        value = int(self.config.get(name) or default)
        if value < 1:
            raise ApiError(ErrorKind.CONFIG, _NO_SIZE, field=name)
        return value

    def close(self) -> None:
        self.client.close()


CONNECTOR = N8n
