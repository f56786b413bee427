"""Views of /api/v3/contacts: thin callers of contacts.services and contacts.bulk."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from contacts import services
from contacts.api.filters import apply_filters, registered_parameters
from contacts.api.pagination import ContactPagination
from contacts.api.serializers import BULK_LIMIT, BulkInput, BulkOutput, ContactInput, ContactOutput, lay_over
from contacts.bulk import Incoming, upsert
from contacts.models import Contact
from contacts.records import ContactRecord

SOURCE = "api"


class ContactListView(generics.GenericAPIView):
    """The list of contacts, newest change first, and new ones."""

    queryset = Contact.objects.none()
    serializer_class = ContactOutput
    pagination_class = ContactPagination
    filter_backends: list[Any] = []

    def get_queryset(self) -> QuerySet[Contact]:
        return Contact.objects.alive().defer("search", "provenance").prefetch_related("points")

    @extend_schema(operation_id="contacts_list", parameters=registered_parameters(), responses=ContactOutput(many=True))
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(apply_filters(self.get_queryset(), request.query_params))
        return self.get_paginated_response(ContactOutput(page, many=True).data)

    @extend_schema(operation_id="contacts_create", request=ContactInput, responses={201: ContactOutput})
    def post(self, request: Request) -> Response:
        record = lay_over(ContactRecord(), _validated(request.data))
        if record.is_empty():
            raise ValidationError("A contact needs at least a name, an e-mail, a phone or a company.")
        stored = services.create(record, source=SOURCE)
        return Response(_shown(stored.id), status=status.HTTP_201_CREATED)


@extend_schema_view(
    get=extend_schema(operation_id="contacts_read", responses=ContactOutput),
    put=extend_schema(operation_id="contacts_replace", request=ContactInput, responses=ContactOutput),
    patch=extend_schema(operation_id="contacts_update", request=ContactInput, responses=ContactOutput),
    delete=extend_schema(operation_id="contacts_delete", responses={204: None}),
)
class ContactDetailView(APIView):
    """One contact. PUT makes it exactly what is given, PATCH changes what is named, DELETE leaves a tombstone."""

    def get(self, request: Request, contact_id: UUID) -> Response:
        return Response(_shown(contact_id))

    def put(self, request: Request, contact_id: UUID) -> Response:
        return self._edit(contact_id, request.data, keep=False)

    def patch(self, request: Request, contact_id: UUID) -> Response:
        return self._edit(contact_id, request.data, keep=True)

    def delete(self, request: Request, contact_id: UUID) -> Response:
        try:
            services.delete(contact_id, source=SOURCE)
        except services.ContactNotFound as error:
            raise Http404("Contact not found") from error
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _edit(self, contact_id: UUID, data: Any, *, keep: bool) -> Response:
        _existing(contact_id)
        given = _validated(data)
        try:
            services.edit(
                contact_id, lambda record: lay_over(record if keep else ContactRecord(), given), source=SOURCE
            )
        except services.ContactNotFound as error:
            raise Http404("Contact not found") from error
        return Response(_shown(contact_id))


class BulkUpsertView(APIView):
    """Creates or updates up to 1,000 contacts, matched by e-mail; without e-mail by phone and name."""

    @extend_schema(operation_id="contacts_bulk_upsert", request=BulkInput, responses=BulkOutput)
    def post(self, request: Request) -> Response:
        items = request.data.get("items") if isinstance(request.data, dict) else None
        if not isinstance(items, list) or not 1 <= len(items) <= BULK_LIMIT:
            raise ValidationError({"items": [f"Must be a list of 1 to {BULK_LIMIT} contacts."]})
        checked = [ContactInput(data=item) for item in items]
        results: list[dict[str, Any]] = [
            {"index": index, "status": "refused", "id": None, "errors": {}} for index in range(len(items))
        ]
        valid = []
        for result, item in zip(results, checked, strict=True):
            if item.is_valid():
                valid.append((result, Incoming(lay_over(ContactRecord(), item.validated_data))))
            else:
                result["errors"] = dict(_flat(item.errors))
        outcomes = upsert([incoming for _, incoming in valid], source=SOURCE) if valid else []
        for (result, _), outcome in zip(valid, outcomes, strict=True):
            errors = {"contact": [outcome.reason]} if outcome.reason else {}
            result.update(status=outcome.result, id=outcome.contact_id, errors=errors)
        return Response({"results": results})


def _validated(data: Any) -> dict[str, Any]:
    serializer = ContactInput(data=data)
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data


def _existing(contact_id: UUID) -> Contact:
    contact = (
        Contact.objects.alive().defer("search", "provenance").prefetch_related("points").filter(pk=contact_id).first()
    )
    if contact is None:
        raise Http404("Contact not found")
    return contact


def _shown(contact_id: UUID) -> Any:
    return ContactOutput(_existing(contact_id)).data


def _flat(errors: Any, path: str = "") -> list[tuple[str, list[str]]]:
    """Nested errors as ("emails.0.value", ["sentence"]) pairs."""
    if isinstance(errors, dict):
        return [pair for key, value in errors.items() for pair in _flat(value, f"{path}.{key}" if path else str(key))]
    if isinstance(errors, list) and any(isinstance(item, dict) for item in errors):
        return [pair for index, item in enumerate(errors) for pair in _flat(item, f"{path}.{index}")]
    return [(path, [str(item) for item in errors])] if errors else []
