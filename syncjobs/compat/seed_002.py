"""The clinic's route: patients of IDENT go to amoCRM, every two minutes, and are all compared twice a day."""

from __future__ import annotations

from django.conf import settings
from django.utils.translation import gettext as _

from connectors.models import Connection
from syncjobs import route_fields, services
from syncjobs.errors import Refused
from syncjobs.models import Policy, Route
from syncjobs.references import reference_of

SOURCE, DESTINATION = "ident", "amocrm"
# Kept in one field, as amoCRM has none for it.
_GIVEN_NAMES = ("first_name", "given_names")


def route_between(source: Connection, destination: Connection) -> Route:
    """The clinic's route between the two, made with the intervals of the settings where there is none."""
    terms = {
        "policy": Policy.SOURCE,
        "interval_minutes": settings.SYNC_INTERVAL_MINUTES,
        "full_times": settings.SYNC_DEEP_TIMES,
        "time_zone": str(source.settings_and_secrets()["time_zone"]),
    }
    route, created = Route.objects.get_or_create(source=source, destination=destination, defaults=terms)
    if created:
        short, whole = _GIVEN_NAMES
        for rule in destination.rules.filter(ours=short, theirs="first_name"):
            rule.ours, rule.direction = whole, "push"
            rule.save(update_fields=["ours", "direction"])
    return route


def prepare() -> list[str]:
    """The route between the first two connections, once both are there; answers a line where it was made."""
    ends = {slug: Connection.objects.filter(connector=slug, enabled=True).first() for slug in (SOURCE, DESTINATION)}
    source, destination = ends[SOURCE], ends[DESTINATION]
    if source is None or destination is None or not source.is_configured() or not destination.is_configured():
        return []
    if Route.objects.filter(source=source).exists():
        return []
    return [_("Made the route %(route)s.") % {"route": route_between(source, destination)}]


def demonstrate() -> list[str]:
    """The route between the sandboxes, with every field it needs, and its first run."""
    lines = prepare()
    route = Route.objects.filter(source__connector=SOURCE, destination__connector=DESTINATION, enabled=True).first()
    if route is not None:
        try:
            route_fields.add_rules(route, route_fields.create(route))
        except Refused as e:
            return [*lines, f"{route}: {e.message}"]
        services.start_route(route)
    return lines


def require_reference(sender: object, route: Route, **rest: object) -> None:
    """Before a run: amoCRM's field for the patient's id is what tells patients apart. Raises Refused without it."""
    if (route.source.connector, route.destination.connector) != (SOURCE, DESTINATION):
        return
    if reference_of(route.destination) is not None:
        return
    found = route_fields.look_up(route)
    route_fields.add_rules(route, found)
    if reference_of(route.destination) is None:
        id_field = route.source.spec.id_field
        (name,) = (field.wanted.label for field in found if field.ours == f"attributes.{id_field}")
        message = _("%(crm)s has no contact field “%(name)s”: run manage.py ident_fields --create, or make it there.")
        raise Refused(message % {"crm": route.destination.label, "name": name}, "reference_missing")
