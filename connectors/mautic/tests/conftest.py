from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.core.clock import ManualClock
from connectors.core.testing import sandbox_context
from connectors.mautic.connector import Mautic
from connectors.mautic.sandbox import MauticSandbox

Connect = Callable[..., Mautic]


@pytest.fixture
def sandbox() -> MauticSandbox:
    return MauticSandbox(ManualClock())


@pytest.fixture
def connect() -> Connect:
    """A connector on a sandbox, its field made."""

    def make(sandbox: MauticSandbox, **config: Any) -> Mautic:
        mautic = Mautic(sandbox_context(Mautic, sandbox, config=config))
        mautic.prepare("contacts", ["email"])
        return mautic

    return make


@pytest.fixture
def mautic(sandbox: MauticSandbox, connect: Connect) -> Mautic:
    return connect(sandbox)
