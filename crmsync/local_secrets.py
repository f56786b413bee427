"""Secrets of an installation that was given none: made once, kept outside the repository, readable by one user."""

import json
import os
import secrets
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet

from crmsync.embedded.location import data_home, make_data_home


def path() -> Path:
    return data_home() / "secrets.json"


def load() -> dict[str, str]:
    """{"SECRET_KEY", "CREDENTIAL_KEYS"}; empty when none have been made."""
    try:
        return json.loads(path().read_text(encoding="utf-8"))
    except (FileNotFoundError, PermissionError):  # another user's folder, where this one was given its own secrets
        return {}


def ensure() -> bool:
    """Makes the file unless it exists; answers whether it was made. The first of several processes wins."""
    if path().exists():
        return False
    make_data_home(path().parent)
    content = {"SECRET_KEY": secrets.token_urlsafe(50), "CREDENTIAL_KEYS": Fernet.generate_key().decode()}
    handle, unfinished = tempfile.mkstemp(dir=path().parent, prefix=".secrets-")  # mkstemp's files are 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file)
        os.link(unfinished, path())
    except FileExistsError:
        return False
    finally:
        Path(unfinished).unlink()
    return True
