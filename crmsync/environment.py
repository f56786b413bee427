"""Reads settings from the environment and .env, secrets also from files."""

import os
from pathlib import Path
from typing import Any

import environ

BASE_DIR = Path(__file__).resolve().parent.parent


class Environment(environ.FileAwareEnv):  # type: ignore[misc]
    """django-environ, plus secrets and the database."""

    def secret(self, name: str, default: str = "") -> str:
        return str(self.str(name, default=default))

    def secret_list(self, name: str) -> list[str]:
        return [part.strip() for part in self.secret(name).split(",") if part.strip()]

    def database(self) -> dict[str, Any]:
        config = dict(self.db_url("DATABASE_URL"))
        config |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
        return config


env = Environment()
if not os.environ.get("CRMSYNC_IGNORE_DOTENV") and (BASE_DIR / ".env").is_file():
    Environment.read_env(str(BASE_DIR / ".env"))
