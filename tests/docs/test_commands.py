"""Every command that README.md and docs/ show is run, on a hub with the demonstration's systems."""

from __future__ import annotations

import re

import pytest
from cryptography.fernet import Fernet

from tests.docs.hub import Hub
from tests.docs.pages import LANGUAGES, ORDER, README, page, shell

pytestmark = pytest.mark.slow

# Why a command may be shown and not run.
REASONS = {
    "needs Docker", "needs root", "keeps running", "needs a checkout of its own", "needs a real account",
    "is tested elsewhere",
}  # fmt: skip


def test_every_command_does_what_it_says(hub: Hub) -> None:
    """In one test, as what one page makes a later one uses: parts of it might run in several processes."""
    for name in ["README", *ORDER]:
        path = README if name == "README" else page("en", name)
        script = "".join(
            f"echo '=== {block.page.name}:{block.line}' >&2\n{localized(block.text)}"
            for block in shell(path)
            if not block.reason
        )
        done = hub.run(script)
        assert done.returncode == 0, f"{name}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        if name == "operation":
            look_at_what_was_restored(hub)


def look_at_what_was_restored(hub: Hub) -> None:
    """The copy that the commands of the page on operation have restored, with the keys and with others."""
    counted = "SELECT (SELECT count(*) FROM contacts_contact), (SELECT count(*) FROM connectors_connection)"
    counts = hub.run(f'psql "$DATABASE_URL" -Atc "{counted}"; psql "$RESTORED_URL" -Atc "{counted}"')
    original, restored = counts.stdout.split()
    assert original == restored
    assert not original.startswith("0|")
    doctor = 'DATABASE_URL="$RESTORED_URL" .venv/bin/python manage.py doctor'
    without = hub.run(doctor, CREDENTIAL_KEYS=Fernet.generate_key().decode())
    assert without.returncode == 1
    assert "connectors.E001" in without.stdout


def localized(text: str) -> str:
    """The addresses of the pages are those of a hub on the usual port."""
    return re.sub(r"^HUB=.*$", ":", text, flags=re.M)


def test_what_is_not_run_says_why() -> None:
    for path in [README, *(page(language, name) for language in LANGUAGES for name in ORDER)]:
        for block in shell(path):
            assert not block.reason or block.reason in REASONS, f"{path.name}:{block.line}"


@pytest.mark.parametrize("name", ORDER)
def test_both_languages_show_the_same_commands(name: str) -> None:
    english, russian = ([(b.commands, b.reason) for b in shell(page(language, name))] for language in LANGUAGES)
    assert russian == english


def test_every_page_is_there_in_both_languages() -> None:
    for language in LANGUAGES:
        assert sorted(path.stem for path in page(language, "any").parent.glob("*.md")) == sorted(ORDER)
