"""Deletions that a full read comes upon: a few are marked at once, many when a person has said that they are right."""

from __future__ import annotations

from django.db.models import QuerySet

from syncjobs import reviews
from syncjobs.mirror.names import schema_of, table_of
from syncjobs.models import MirrorEntity, ReviewItem
from syncjobs.questions import Question

# More deletions than this at once need a person's word: of all rows, and in any case so many.
SHARE, FEW = 0.1, 20
_OF_MIRROR = "mirror:"


def are_many(missing: int, live: int) -> bool:
    return missing > max(FEW, SHARE * live)


def ask(mirror: MirrorEntity, missing: int, live: int) -> None:
    """Asks whether so many records may be gone; a question that is open is brought up to date."""
    message = (
        f"{missing} of {live} records in {schema_of(mirror.connection.key)}.{table_of(mirror.entity)} are no longer"
        f" in {mirror.connection.spec.label}."
    )
    told = {"missing": missing, "of": live}
    reviews.ask(
        mirror.connection,
        [Question(ReviewItem.Kind.DELETIONS, field=_field(mirror), theirs=told, message=message)],
    )


def is_allowed(mirror: MirrorEntity) -> bool:
    """Whether a person's word waits for the full read that carries it out."""
    return _questions(mirror).filter(decision__allow=True, decision__used__isnull=True).exists()


def settle(mirror: MirrorEntity) -> None:
    """The deletions were looked into: what was said is used up, and nobody need be asked any more."""
    _questions(mirror).filter(decided_at__isnull=True).delete()
    reviews.used(
        {pk: None for pk in _questions(mirror).filter(decision__used__isnull=True).values_list("pk", flat=True)}
    )


def mirror_of(item: ReviewItem) -> MirrorEntity | None:
    """The mirrored entity that a question is about, if any."""
    if item.kind != ReviewItem.Kind.DELETIONS or not item.field.startswith(_OF_MIRROR):
        return None
    entity = item.field.removeprefix(_OF_MIRROR)
    return MirrorEntity.objects.filter(connection=item.connection_id, entity=entity).first()


def _questions(mirror: MirrorEntity) -> QuerySet[ReviewItem]:
    return ReviewItem.objects.filter(
        connection=mirror.connection_id, kind=ReviewItem.Kind.DELETIONS, field=_field(mirror)
    )


def _field(mirror: MirrorEntity) -> str:
    return f"{_OF_MIRROR}{mirror.entity}"
