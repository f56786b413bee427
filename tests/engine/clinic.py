"""A clinic for tests: the stand-ins of both ends, the route between them, and words for what happens there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connectors import services as connections
from connectors.amocrm.sandbox import AmoSandbox
from connectors.core.types import CONTACTS
from connectors.ident.readonly.postgresql.base import DatabaseWrapper
from syncjobs import route_fields, route_runs
from syncjobs.compat import seed_002
from syncjobs.route_runs import RouteRun

if TYPE_CHECKING:
    from tests.engine.conftest import Destination


class Clinic:
    """The clinic's database, the account its patients go to, and the route between them."""

    def __init__(self, ident: Any, amo: Destination) -> None:
        self.ident, self.amo = ident, amo
        self.source = connections.create_connection("ident", "ident", ident.config(""))
        self.route = seed_002.route_between(self.source, amo.connection)
        route_fields.add_rules(self.route, route_fields.create(self.route))
        self.account: AmoSandbox = amo.sandbox  # type: ignore[assignment]
        self.account.seen.clear()

    def run(self, *, full: bool = False) -> RouteRun:
        self.route.refresh_from_db()
        return route_runs.run_route(self.route, trigger="test", full=full)

    def requests(self, *methods: str) -> int:
        return sum(seen.method in methods for seen in self.account.seen)

    def people(self) -> list[dict[str, Any]]:
        """Every contact of the account, its fields by their names."""
        return [self.shown(contact) for contact in self.account.account.contacts.values()]

    def shown(self, contact: dict[str, Any]) -> dict[str, Any]:
        fields = {}
        for held in contact["custom_fields_values"] or ():
            values = [row["value"] for row in held["values"]]
            fields[held["field_name"]] = values if held["field_code"] in ("PHONE", "EMAIL") else values[0]
        names = {name: contact[name] for name in ("id", "first_name", "last_name")}
        return {**names, **fields}

    def of(self, patient: int) -> dict[str, Any]:
        found = [p for p in self.people() if p.get("ID пациента IDENT") == str(patient)]
        assert len(found) == 1, found
        return found[0]

    def add_contact(self, first_name: str = "Ann", last_name: str = "Bell", **fields: Any) -> int:
        """A contact that somebody made in the account; `phone`, or fields by their names."""
        by_name = {f["name"]: f for f in self.account.account.fields[CONTACTS].values()}
        by_name["phone"] = by_name["Телефон"]
        custom = [{"field_id": by_name[n]["id"], "values": [{"value": v}]} for n, v in fields.items()]
        item = {"first_name": first_name, "last_name": last_name, "custom_fields_values": custom}
        return int(self.account.person_adds(**item))


def connected(database: DatabaseWrapper) -> None:
    """Without the guard of Django's tests, which knows no databases that come and go."""
    if database.connection is None:
        database.connect()
