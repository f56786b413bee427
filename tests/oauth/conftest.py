"""An OAuth2 connection whose account is a sandbox, for every connector that a person connects in a browser."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.core import registry
from connectors.core.types import Auth

SLUGS = [
    slug
    for slug, connector in registry.all_connectors().items()
    if connector.spec.auth is Auth.OAUTH2 and registry.sandbox_class(slug) is not None
]


@pytest.fixture(params=SLUGS)
def slug(request: pytest.FixtureRequest) -> Any:
    return request.param
