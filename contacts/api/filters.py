"""Query parameters of the contact list. Other apps add theirs with `register_filter`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.postgres.search import SearchQuery
from django.db.models import QuerySet
from django.http import QueryDict
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError

from contacts.models import Contact, ContactPoint
from contacts.normalize import Invalid, is_e164, normalize_email, normalize_phone
from contacts.phones import possible_starts
from contacts.text import squeeze

Filter = Callable[[QuerySet[Contact], str, QueryDict], QuerySet[Contact]]
SEARCH_WORDS = 8
LENGTH_LIMIT = 254
_PHONE_SHAPED = re.compile(r"\+?[\d\s().\-]{4,}")
_filters: dict[str, tuple[Filter, OpenApiParameter | None]] = {}


def register_filter(name: str, func: Filter, parameter: OpenApiParameter | None = None) -> None:
    """Adds `?name=` to the list: func(queryset, value, all query parameters) → queryset.

    It may raise rest_framework's ValidationError. `parameter` documents it in the schema.
    """
    _filters[name] = (func, parameter)


def registered_parameters() -> list[OpenApiParameter]:
    return [
        parameter or OpenApiParameter(name, str, description="Filter of another part of the hub.")
        for name, (_, parameter) in _filters.items()
    ]


def apply_filters(queryset: QuerySet[Contact], query: QueryDict) -> QuerySet[Contact]:
    """Every filter the query names. Raises ValidationError naming the parameter for a value of no use."""
    for name, (func, _) in _filters.items():
        value = query.get(name)
        if value:
            if "\0" in value or len(value) > LENGTH_LIMIT:
                raise ValidationError({name: [f"Must be text of at most {LENGTH_LIMIT} characters without NUL."]})
            queryset = func(queryset, value, query)
    return queryset


def by_search(queryset: QuerySet[Contact], value: str, query: QueryDict) -> QuerySet[Contact]:
    """Words in any order, each the beginning of a word of the contact; also beginnings of e-mails and phone digits."""
    text = squeeze(value)
    if _PHONE_SHAPED.fullmatch(text):
        return queryset.filter(pk__in=_with_phone(text))
    for word in text.split()[:SEARCH_WORDS]:
        queryset = queryset.filter(pk__in=_with_word(word))
    return queryset


def _with_phone(text: str) -> QuerySet:
    phone = normalize_phone(text, settings.PHONE_REGION)
    starts = {phone.value, *possible_starts(text, settings.PHONE_REGION)}
    kind = ContactPoint.Kind.PHONE
    found = [ContactPoint.objects.filter(kind=kind, value__startswith=start) for start in sorted(starts)]
    ids = [points.values("contact_id") for points in found]
    return ids[0].union(*ids[1:])


def _with_word(word: str) -> QuerySet:
    quoted = word.replace("\\", " ").replace("'", "''")
    vector = Contact.objects.filter(search=SearchQuery(f"'{quoted}':*", config="simple", search_type="raw"))
    points = ContactPoint.objects.filter(kind=ContactPoint.Kind.EMAIL, value__startswith=word.lower())
    found = vector.values("id").union(points.values("contact_id"))
    return found.union(_with_phone(word)) if _PHONE_SHAPED.fullmatch(word) else found


def by_email(queryset: QuerySet[Contact], value: str, query: QueryDict) -> QuerySet[Contact]:
    try:
        email = normalize_email(value)
    except Invalid as error:
        raise ValidationError({"email": [f"This value {error.reason}."]}) from error
    points = ContactPoint.objects.filter(kind=ContactPoint.Kind.EMAIL, value=email)
    return queryset.filter(pk__in=points.values("contact_id"))


def by_phone(queryset: QuerySet[Contact], value: str, query: QueryDict) -> QuerySet[Contact]:
    phone = normalize_phone(value, settings.PHONE_REGION).value
    if not is_e164(phone) and is_e164("+" + value.strip()):
        # In a query string an unescaped + arrives as a space: " 79161234567".
        phone = normalize_phone("+" + value.strip(), settings.PHONE_REGION).value
    points = ContactPoint.objects.filter(kind=ContactPoint.Kind.PHONE, value=phone)
    return queryset.filter(pk__in=points.values("contact_id"))


def by_domain(queryset: QuerySet[Contact], value: str, query: QueryDict) -> QuerySet[Contact]:
    return queryset.filter(domain_id=value)


def _parameter(name: str, text: str) -> OpenApiParameter:
    schema: dict[str, Any] = {"type": "string", "maxLength": LENGTH_LIMIT}
    return OpenApiParameter(name, schema, description=text)


register_filter("search", by_search, _parameter("search", "Beginnings of words in any order, e-mails, phone digits."))
register_filter("email", by_email, _parameter("email", "An e-mail of the contact, in any spelling."))
register_filter("phone", by_phone, _parameter("phone", "A phone of the contact, in any spelling."))
register_filter("domain_id", by_domain, _parameter("domain_id", "The domain's id."))
