from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.core.clock import ManualClock
from connectors.core.testing import sandbox_context
from connectors.hubspot.connector import HubSpot
from connectors.hubspot.sandbox import HubSpotSandbox


@pytest.fixture
def sandbox() -> HubSpotSandbox:
    return HubSpotSandbox(ManualClock(), enforce_limits=False)


@pytest.fixture
def hubspot(sandbox: HubSpotSandbox) -> Iterator[HubSpot]:
    connector = HubSpot(sandbox_context(HubSpot, sandbox))
    yield connector
    connector.close()
