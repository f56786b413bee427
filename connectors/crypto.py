"""Authenticated encryption of stored secrets, with keys that can be rotated."""

from __future__ import annotations

import base64
import functools
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class SecretUnreadable(Exception):
    """A stored secret was encrypted with a key that is no longer in CREDENTIAL_KEYS."""

    def __init__(self) -> None:
        super().__init__("A stored secret cannot be read: its key is missing from CREDENTIAL_KEYS.")


def encrypt(text: bytes) -> str:
    """The text under the first key."""
    return _box(tuple(settings.CREDENTIAL_KEYS), settings.SECRET_KEY).encrypt(text).decode()


def decrypt(token: str) -> bytes:
    """The text under whichever key fits. Raises SecretUnreadable."""
    try:
        return _box(tuple(settings.CREDENTIAL_KEYS), settings.SECRET_KEY).decrypt(token)
    except InvalidToken:
        raise SecretUnreadable from None


def key_of(token: str) -> int | None:
    """Which key the text is encrypted under, counted from 0; None where none fits."""
    for number, key in enumerate(_keys()):
        try:
            Fernet(_key(key)).decrypt(token)
        except InvalidToken:
            continue
        return number
    return None


def _keys() -> tuple[str, ...]:
    return tuple(settings.CREDENTIAL_KEYS) or (settings.SECRET_KEY,)


@functools.lru_cache(maxsize=4)
def _box(keys: tuple[str, ...], fallback: str) -> MultiFernet:
    # Without CREDENTIAL_KEYS a key is derived from SECRET_KEY, so that a trial needs no set-up; `doctor` warns of it.
    return MultiFernet([Fernet(_key(k)) for k in keys or (fallback,)])


def _key(text: str) -> bytes:
    """A Fernet key as it is, or any other passphrase stretched to one."""
    try:
        if len(base64.urlsafe_b64decode(text)) == 32:
            return text.encode()
    except ValueError:
        pass
    return base64.urlsafe_b64encode(hashlib.sha256(b"crmsync credentials:" + text.encode()).digest())
