from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.core.clock import ManualClock
from connectors.core.testing import sandbox_context
from connectors.n8n.connector import N8n
from connectors.n8n.sandbox import N8nSandbox

Connect = Callable[..., N8n]


@pytest.fixture
def sandbox() -> N8nSandbox:
    return N8nSandbox(ManualClock())


@pytest.fixture
def connect() -> Connect:
    """A connector on a sandbox; `config` adds settings, and None takes one away."""

    def make(sandbox: N8nSandbox, **config: Any) -> N8n:
        return N8n(sandbox_context(N8n, sandbox, config=config))

    return make


@pytest.fixture
def n8n(sandbox: N8nSandbox, connect: Connect) -> N8n:
    return connect(sandbox)
