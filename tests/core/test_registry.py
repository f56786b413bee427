"""Connectors are found by their folders."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import connectors
from connectors.core import registry
from connectors.core.redact import without_personal_data
from connectors.core.types import Secret
from tests.plugins.toy import dropped_in


def test_slugs_and_aliases_lead_to_connectors() -> None:
    known = registry.all_connectors()
    assert known
    for slug, connector in known.items():
        assert connector.spec.slug == slug
        assert registry.get(slug) is connector
        for alias in connector.spec.aliases:
            assert registry.get(alias) is connector


def test_an_unknown_one_is_named_with_the_known_ones() -> None:
    with pytest.raises(registry.UnknownConnector) as raised:
        registry.get("nosuch")
    assert all(slug in str(raised.value) for slug in registry.all_connectors())


def test_a_folder_dropped_in_is_found_and_gone_again() -> None:
    with dropped_in():
        toy = registry.get("toy")
        assert toy.spec.label == "Toy CRM"
        assert (registry.folder("toy") / "SETUP.md").exists()
        sandbox = registry.sandbox_class("toy")
        assert sandbox is not None
        assert sandbox.slug == "toy"
    with pytest.raises(registry.UnknownConnector):
        registry.get("toy")


def test_a_folder_without_a_connector_is_no_connector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "halfdone").mkdir()
    (tmp_path / "halfdone" / "__init__.py").write_text("")
    monkeypatch.setattr(connectors, "__path__", [*connectors.__path__, str(tmp_path)])
    assert "halfdone" not in registry.all_connectors()
    monkeypatch.undo()
    sys.modules.pop("connectors.halfdone", None)


def test_secrets_do_not_show_themselves() -> None:
    secret = Secret("xkeysib-123")
    assert "123" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "xkeysib-123"
    assert not Secret("")


@pytest.mark.parametrize(
    "text",
    ["Invalid email ann.bell@example.com", "phone +7 916 123-45-67 is taken", 'value "ann@x.org", 0033612345678'],
)
def test_personal_data_is_taken_out_of_other_peoples_texts(text: str) -> None:
    cleaned = without_personal_data(text)
    assert "…" in cleaned
    for part in ("ann", "916", "336"):
        assert part not in cleaned
