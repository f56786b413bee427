"""Reads settings from the environment and .env, secrets also from files.

Three rules hold for every variable: an empty string means "not set", NAME_FILE names a file that holds the value, and a
value is taken literally, so that a generated password may start with a dollar sign.
"""

import os
import re
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
YES = {"1", "true", "yes", "on", "y", "t"}
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
NO = {"0", "false", "no", "off", "n", "f"}


class Environment(environ.Env):
    """django-environ with literal values, secrets in files and refusals in plain sentences."""

    def get_value(
        self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, parse_default: bool = False
    ) -> Any:
        """The value of `var`, converted by `cast`.

        Raises ImproperlyConfigured when it is missing without a default, or cannot be converted.
        """
        text = self.text(var)
        if text == "":
            if default is self.NOTSET:
                raise ImproperlyConfigured(f"{var} is not set.")
            return default
        try:
            return convert(text, cast)
        except ValueError as error:
            raise ImproperlyConfigured(f"{var} must be {error}.") from error

    def text(self, name: str) -> str:
        """The raw text of a variable or of the file that NAME_FILE names; empty when there is neither."""
        file_name = os.environ.get(f"{name}_FILE", "")
        if not file_name:
            return os.environ.get(name, "").strip()
        try:
            return Path(file_name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ImproperlyConfigured(f"{name}_FILE names {file_name}, which cannot be read: {error}.") from error

    def secret(self, name: str, default: str = "") -> str:
        return self.text(name) or default

    def secret_list(self, name: str) -> list[str]:
        return split(self.text(name))

    def url(self, name: str) -> str:
        """A base address without its closing slash, or "". Raises ImproperlyConfigured without a scheme."""
        address = self.text(name).rstrip("/")
        if address and not address.startswith(("http://", "https://")):
            raise ImproperlyConfigured(f"{name} must begin with http:// or https://, but is “{address}”.")
        return address

    def mail(self, name: str) -> dict[str, Any]:
        """Django's mail settings from an address such as smtp+tls://user:password@host:587; {} when it is not set."""
        address = self.text(name)
        if not address:
            return {}
        known = ("smtp://", "smtp+tls://", "smtp+ssl://", "consolemail://")
        if not address.startswith(known):
            raise ImproperlyConfigured(f"{name} must begin with one of {', '.join(known)}.")
        return {**environ.Env.email_url_config(address), "EMAIL_TIMEOUT": 15}

    def duration(self, name: str, default: float, least: float = 0.0) -> float:
        """Seconds, written as 3600, 90s, 30m, 1h or 1d. Raises ImproperlyConfigured, also below `least`."""
        text = self.text(name)
        if not text:
            return default
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text.lower())
        seconds = float(found[1]) * UNITS[found[2]] if found else -1.0
        if seconds < least:
            raise ImproperlyConfigured(
                f"{name} must be a time such as 3600, 90s, 30m or 1h, of {least:g} seconds or more, but is “{text}”."
            )
        return seconds

    def database(self, name: str = "DATABASE_URL") -> dict[str, Any]:
        """Django's database settings: the PostgreSQL that the variable names, else the embedded one."""
        from crmsync import embedded

        address = self.text(name)
        if not address:
            config = embedded.database_settings()
        elif address.startswith(("postgres://", "postgresql://")):
            config = dict(environ.Env.db_url_config(address))
        else:
            raise ImproperlyConfigured(f"{name} must begin with postgres://: crmsync runs on PostgreSQL only.")
        return config | {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}


def convert(text: str, cast: Any) -> Any:
    """Text → bool, int, float, list of texts or whatever `cast` makes. The ValueError says what was expected."""
    if cast is bool:
        if text.lower() not in YES | NO:
            raise ValueError(f"yes or no, but is “{text}”")
        return text.lower() in YES
    if cast in (int, float):
        try:
            return cast(text)
        except ValueError:
            kind = "a whole number" if cast is int else "a number"
            raise ValueError(f"{kind}, but is “{text}”") from None
    if cast is list:
        return split(text)
    return text if cast is None else cast(text)


def split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


env = Environment()
if not os.environ.get("CRMSYNC_IGNORE_DOTENV") and (BASE_DIR / ".env").is_file():
    Environment.read_env(str(BASE_DIR / ".env"))
