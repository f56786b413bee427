"""References: a field of one system that carries the id of a record in another, along a route.

A rule takes the source's id into a field of the contact, another one gives that field to the destination: what the
destination holds there tells for certain whose record it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from connectors.core.types import ConnectorSpec
from connectors.models import Connection, FieldRule
from syncjobs.models import Route


@dataclass(frozen=True, slots=True)
class Reference:
    """`theirs` is the destination's field that holds ids of records in `source`."""

    theirs: str
    source: Connection

    def match_order(self, spec: ConnectorSpec) -> list[str]:
        """By what records without a reference are told: by no more than both systems tell people by."""
        return [name for name in self.source.spec.match_order if name in spec.match_order]


def reference_of(connection: Connection) -> Reference | None:
    """The reference that the connection's records carry, by the routes into it."""
    ours = {rule.ours: rule.theirs for rule in connection.rules.filter(entity="contacts")}
    for route in Route.objects.filter(destination=connection, enabled=True).select_related("source"):
        id_field = route.source.spec.id_field
        for rule in FieldRule.objects.filter(connection=route.source, theirs=id_field) if id_field else ():
            if rule.ours in ours:
                return Reference(ours[rule.ours], route.source)
    return None
