"""Model fields whose values are encrypted in the database."""

from __future__ import annotations

from typing import Any

import orjson
from django.db import models

from connectors.crypto import decrypt, encrypt


class EncryptedJSONField(models.TextField):
    """A JSON object, encrypted at rest. Cannot be searched."""

    # What attributes of this field hold: for the type checker.
    _pyi_private_set_type: dict[str, Any]  # type: ignore[assignment]
    _pyi_private_get_type: dict[str, Any]  # type: ignore[assignment]

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return orjson.loads(decrypt(value)) if value else {}

    def to_python(self, value: Any) -> Any:
        return orjson.loads(decrypt(value)) if isinstance(value, str) and value else (value or {})

    def get_prep_value(self, value: Any) -> str:
        return encrypt(orjson.dumps(value)) if value else ""

    def value_to_string(self, obj: models.Model) -> str:
        return self.get_prep_value(self.value_from_object(obj))
