"""What the connector keeps in step: contacts, companies and leads, each with the fields that every account has."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.core.types import CONTACTS, FieldSpec, FieldType

LEADS, COMPANIES = "leads", "companies"
NAME_LENGTH = 255
RESPONSIBLE, PIPELINE, STATUS = "responsible_user_id", "pipeline_id", "status_id"


@dataclass(frozen=True, slots=True)
class Entity:
    """One of amoCRM's lists. `name` is also the word in its addresses; `related` what `with=` asks for.

    `find_keys` are the ways in which a record is told from others; `name` among them means its own name. Where
    `people` is true, its description tells who may be responsible for a record, which costs a request.
    """

    name: str
    noun: str
    own: tuple[FieldSpec, ...]
    find_keys: tuple[str, ...]
    related: str = ""
    people: bool = True

    @property
    def path(self) -> str:
        return f"/api/v4/{self.name}"

    @property
    def fields_path(self) -> str:
        return f"{self.path}/custom_fields"

    def own_field(self, key: str) -> FieldSpec | None:
        return next((spec for spec in self.own if spec.key == key), None)


def _read_only(key: str, label: str, type_: FieldType = FieldType.INTEGER) -> FieldSpec:
    return FieldSpec(key, label, type_, read_only=True)


_NAME = FieldSpec("name", "Name", max_length=NAME_LENGTH)
_RESPONSIBLE = FieldSpec(RESPONSIBLE, "Responsible user", FieldType.INTEGER)
_TIMES = (
    _read_only("created_at", "Created", FieldType.DATETIME),
    _read_only("updated_at", "Updated", FieldType.DATETIME),
)
_AUTHORS = (
    _read_only("created_by", "Created by"),
    _read_only("updated_by", "Updated by"),
    _read_only("group_id", "Group"),
    _read_only("closest_task_at", "Next task", FieldType.DATETIME),
    _read_only("is_deleted", "Deleted", FieldType.BOOLEAN),
)

ENTITIES: dict[str, Entity] = {
    CONTACTS: Entity(
        CONTACTS,
        "contact",
        (
            FieldSpec("first_name", "First name", max_length=NAME_LENGTH),
            FieldSpec("last_name", "Last name", max_length=NAME_LENGTH),
            FieldSpec("name", "Full name", max_length=NAME_LENGTH),
            _RESPONSIBLE,
            *_TIMES,
        ),
        ("email", "phone", "id"),
        # Described anew for every sync, and none of them names a person.
        people=False,
    ),
    COMPANIES: Entity(
        COMPANIES, "company", (_NAME, _RESPONSIBLE, *_TIMES, *_AUTHORS), ("name", "email", "phone", "id")
    ),
    LEADS: Entity(
        LEADS,
        "lead",
        (
            _NAME,
            # Whole numbers, but cents in accounts of kommo.com.
            FieldSpec("price", "Budget", FieldType.NUMBER),
            FieldSpec(STATUS, "Status", FieldType.INTEGER, depends_on=PIPELINE),
            FieldSpec(PIPELINE, "Pipeline", FieldType.INTEGER),
            _RESPONSIBLE,
            FieldSpec("loss_reason_id", "Loss reason", FieldType.INTEGER),
            _read_only("closed_at", "Closed", FieldType.DATETIME),
            _read_only("score", "Score"),
            _read_only("labor_cost", "Labour cost"),
            *_TIMES,
            *_AUTHORS,
        ),
        ("name", "id"),
        related="contacts",
    ),
}
