from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.bitrix24.connector import Bitrix24
from connectors.bitrix24.sandbox import BitrixSandbox
from connectors.core.clock import ManualClock
from connectors.core.testing import sandbox_context


@pytest.fixture
def sandbox() -> BitrixSandbox:
    return BitrixSandbox(ManualClock(), enforce_limits=False)


@pytest.fixture
def connect() -> Callable[..., Bitrix24]:
    """A connector on a sandbox; without limits of its own unless `rps` says otherwise."""

    def make(sandbox: BitrixSandbox, **config: Any) -> Bitrix24:
        return Bitrix24(sandbox_context(Bitrix24, sandbox, config={"rps": 0} | config))

    return make
