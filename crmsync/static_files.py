"""The pages' pictures, styles and scripts, put where the web server finds them."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from django.conf import settings
from django.core.management import call_command


def collect() -> None:
    """Brings STATIC_ROOT up to date, one process at a time: two at once take away files that the other is writing."""
    root = Path(str(settings.STATIC_ROOT))
    root.mkdir(parents=True, exist_ok=True)
    folder = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        call_command("collectstatic", interactive=False, verbosity=0)
    finally:
        os.close(folder)
