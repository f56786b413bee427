"""The commands of the seed: `sync_ident` and `ident_fields`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from connectors import services as connections
from connectors.core.errors import ApiError
from connectors.core.types import CONTACTS, FieldSpec, MultiValue, ReadMode, ReadQuery, RemoteRecord
from connectors.models import Connection
from syncjobs import plan_lines, rehearsal, route_fields, route_runs
from syncjobs.compat import seed_002
from syncjobs.console import REFUSED, SOME_FAILED, SyncCommand, progress_bar
from syncjobs.errors import Refused
from syncjobs.models import Route
from syncjobs.route_runs import RouteRun, line
from syncjobs.sentences import translated


class RouteCommand(SyncCommand):
    """A command about the clinic's route."""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--source", default=seed_002.SOURCE, metavar="KEY", help="where there are several clinics")
        parser.add_argument(
            "--destination", default=seed_002.DESTINATION, metavar="KEY", help="where there are several accounts"
        )

    def route(self, options: Mapping[str, Any]) -> Route:
        ends = [self.connection(options[name]) for name in ("source", "destination")]
        return seed_002.route_between(*ends)


class SyncIdentCommand(RouteCommand):
    help = "Sends the clinic's patients to amoCRM: the changed ones, all of them (--deep), or one."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--deep", action="store_true", help="compare everything at both ends")
        parser.add_argument("--patient-id", metavar="N", help="one patient: shown as read, matched, compared, and sent")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            route = self.route(options)
            if options["patient_id"] is not None:
                self._one(route, str(options["patient_id"]), options)
            else:
                self._all(route, options)
        except Refused as e:
            raise CommandError(e.message, returncode=REFUSED) from None

    def _all(self, route: Route, options: Mapping[str, Any]) -> None:
        work = rehearsal.rehearse if options["dry_run"] else route_runs.run_route
        advance, close = progress_bar(f"{route.source.key} → {route.destination.key}")
        try:
            done = work(route, trigger="command", full=options["deep"], progress=advance)
        finally:
            close()
        if options["dry_run"] and not options["json"]:
            self._write_plan(done)
        self.conclude_route(done, dict(options))

    def _one(self, route: Route, patient: str, options: Mapping[str, Any]) -> None:
        known, record = self._read(route.source, patient)
        planned = rehearsal.rehearse_records(route, [patient], trigger="command")
        done = planned
        if not options["dry_run"] and planned.stopped is None:
            done = route_runs.run_records(route, [patient], trigger="command")
        if options["json"]:
            told = {"patient": shown(record.values), "plan": plan_lines.plan_of(planned), **line(done)}
            self.stdout.write(orjson.dumps(told, default=str).decode())
            self._exit(done)
            return
        for key, value in shown(record.values).items():
            self.stdout.write(f"{known[key].label if key in known else key}: {plan_lines.text_of(value)}")
        self._write_plan(planned)
        self.conclude_route(done, dict(options))

    def _read(self, source: Connection, patient: str) -> tuple[dict[str, FieldSpec], RemoteRecord]:
        try:
            connector = connections.open_connector(source)
            try:
                known = {spec.key: spec for spec in connector.describe(CONTACTS)}
                query = ReadQuery(CONTACTS, ReadMode.IDS, ids=[patient])
                found = [record for page in connector.read(query) for record in page.records]
            finally:
                connector.close()
        except ApiError as e:
            raise CommandError(translated(e.message), returncode=REFUSED) from None
        if not found:
            message = _("%(crm)s has no patient %(id)s.") % {"crm": source.spec.label, "id": patient}
            raise CommandError(message, returncode=REFUSED)
        return known, found[0]

    def _write_plan(self, done: RouteRun) -> None:
        for line_of_plan in plan_lines.lines(done):
            self.stdout.write(line_of_plan)

    def _exit(self, done: RouteRun) -> None:
        if done.stopped is not None:
            raise CommandError(translated(done.stopped.message), returncode=REFUSED)
        counters = done.counters()
        if counters["failed"] or counters["conflicts"]:
            sys.exit(SOME_FAILED)


class IdentFieldsCommand(RouteCommand):
    help = "Says which amoCRM field each field of a patient goes to, and adds the field rules."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--create", action="store_true", help="make the fields and list values that amoCRM lacks")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            route = self.route(options)
            carried = route_fields.create(route) if options["create"] else route_fields.look_up(route)
        except Refused as e:
            raise CommandError(e.message, returncode=REFUSED) from None
        added = route_fields.add_rules(route, carried)
        missing = [field.wanted.label for field in carried if field.found is None]
        if options["json"]:
            fields = {f.wanted.label: f.found.remote_id or f.found.key if f.found else None for f in carried}
            self.stdout.write(orjson.dumps({"fields": fields, "missing": missing, "rules_added": added}).decode())
        else:
            for field in carried:
                found = f"{field.found.label} ({field.found.remote_id})" if field.found else _("missing")
                self.stdout.write(f"{field.wanted.label}: {found}")
            self.stdout.write(_("Field rules added: %(count)d.") % {"count": added})
        if missing:
            raise CommandError(
                _("Missing in amoCRM: %(names)s. Make them with --create.") % {"names": ", ".join(missing)},
                returncode=SOME_FAILED,
            )


def shown(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values in JSON's types, without empty ones; several of a kind as a list of texts."""
    return {key: _plain(value) for key, value in values.items() if value not in (None, "", [])}


def _plain(value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [item.value if isinstance(item, MultiValue) else item for item in value]
    return value if isinstance(value, str | int | float | bool) else str(value)
