"""Settings of the tests: no .env, no variables of connectors, tasks run inline, passwords hash fast.

The database is TEST_DATABASE_URL, else DATABASE_URL, else an embedded server in a throwaway folder, which the first
process to connect starts for all (pytest-xdist's workers inherit the folder's name).
"""

import os
import tempfile
from pathlib import Path

os.environ["CRMSYNC_IGNORE_DOTENV"] = "1"
if os.environ.get("TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = os.environ["TEST_DATABASE_URL"]
if "CRMSYNC_TEST_DATA_DIR" not in os.environ:
    folder = Path(tempfile.mkdtemp(prefix="crmsync-tests-"))
    folder.chmod(0o711)  # the embedded server's own user passes through it when the tests run as root
    os.environ["CRMSYNC_TEST_DATA_DIR"] = str(folder)
    os.environ["CRMSYNC_TEST_DATA_OWNER"] = str(os.getpid())
os.environ["CRMSYNC_DATA_DIR"] = os.environ["CRMSYNC_TEST_DATA_DIR"]
os.environ["CRMSYNC_EMBEDDED_FSYNC"] = "off"
for name in ("SITE_URL", "SECRET_KEY", "CREDENTIAL_KEYS", "DEBUG", "LOG_DIR", "JWT_SECRET", "SUPABASE_JWT_SECRET"):
    os.environ.pop(name, None)

from crmsync.settings import *  # noqa: E402, F403

SECRET_KEY = "a-key-for-tests-only-0123456789-0123456789-0123456789"  # noqa: S105
CREDENTIAL_KEYS = ["dGhpcy1rZXktaXMtZm9yLXRlc3RzLW9ubHktMDEyMzQ="]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "shared"},
    "process": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "process"},
}
Q_CLUSTER = {**Q_CLUSTER, "sync": True}  # noqa: F405
TRAFFIC_FLUSH_SECONDS = 0.0
SYNC_SETTLE_SECONDS = 0.0
STATIC_ROOT = None
