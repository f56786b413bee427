"""Path converters."""

from django.urls.converters import IntConverter


class RowId(IntConverter):
    """A row's number as PostgreSQL's bigint can hold it; a larger one is an address without anything behind it."""

    regex = "[0-9]{1,18}"
