"""Several web servers may start at once from one folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings

COLLECT = """
import django
from django.conf import settings
django.setup()
settings.STATIC_ROOT = {root!r}
settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
from crmsync import static_files
static_files.collect()
"""


def test_two_collect_at_once(tmp_path: Path) -> None:
    code = COLLECT.format(root=str(tmp_path / "static"))
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "crmsync.test_settings"}
    both = [
        subprocess.Popen([sys.executable, "-c", code], cwd=settings.BASE_DIR, env=environment, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    assert [process.communicate(timeout=120)[1] for process in both] == [b"", b""]
    assert [process.returncode for process in both] == [0, 0]
    assert (tmp_path / "static" / "staticfiles.json").is_file()
