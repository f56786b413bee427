from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.brevo.connector import Brevo
from connectors.brevo.sandbox import BrevoSandbox
from connectors.core.clock import ManualClock
from connectors.core.testing import sandbox_context


@pytest.fixture
def sandbox() -> BrevoSandbox:
    return BrevoSandbox(ManualClock(), enforce_limits=False)


@pytest.fixture
def connect() -> Iterator[Callable[..., Brevo]]:
    """Makes a connector on a sandbox, with settings."""
    made: list[Brevo] = []

    def make(sandbox: BrevoSandbox, **config: Any) -> Brevo:
        made.append(Brevo(sandbox_context(Brevo, sandbox, config=config)))
        return made[-1]

    yield make
    for connector in made:
        connector.close()


@pytest.fixture
def brevo(connect: Callable[..., Brevo], sandbox: BrevoSandbox) -> Brevo:
    return connect(sandbox)
