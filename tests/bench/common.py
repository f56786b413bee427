"""What benchmarks share: a database of their own, made-up contacts, and sandboxes in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

DATABASE = "crmsync_bench"
ROOT = Path(__file__).resolve().parent.parent.parent


def prepare() -> None:
    """Django with an emptied database called crmsync_bench beside the configured one."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crmsync.settings")
    os.environ.setdefault("LOG_LEVEL", "ERROR")
    os.environ["ALLOW_PRIVATE_HOSTS"] = "127.0.0.1"
    os.environ["ALLOWED_HOSTS"] = "*"
    os.environ["CRMSYNC_IGNORE_DOTENV"] = "1"
    import django
    from django.core.management import call_command
    from django.db import connection

    django.setup()
    if connection.settings_dict["NAME"] == DATABASE:
        return
    creation = connection.creation
    connection.settings_dict["TEST"]["NAME"] = DATABASE
    creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    call_command("migrate", verbosity=0)


def fresh_contacts(count: int) -> None:
    """Replaces all contacts by `count` made-up ones."""
    from django.db import connection

    from connectors.core.fanout import batched
    from contacts.bulk import CHUNK_SIZE, Incoming, upsert
    from contacts.records import ContactRecord, Point

    def person(i: int) -> Incoming:
        return Incoming(
            ContactRecord(
                first_name=f"Имя{i}",
                last_name=f"Фамилия{i}",
                company="Acorn",
                job_title="Buyer",
                domain_id="d-1",
                emails=(Point(f"person{i}@example.com", f"person{i}@example.com", primary=True),),
                phones=(Point(f"+7916{i:07d}", f"+7916{i:07d}", primary=True),),
            )
        )

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE contacts_contact CASCADE")
    for chunk in batched(map(person, range(count)), CHUNK_SIZE):
        upsert(chunk, source="bench")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE contacts_contact")


def in_a_process(*command: str, first: str = "") -> tuple[dict[str, Any], int]:
    """A manage.py command on the benchmark's database: its line of counters, and its peak memory in MB.

    `first` is Python that runs before it in its process.
    """
    from django.db import connection

    params = connection.get_connection_params()
    login = ":".join(quote(str(params[name]), safe="") for name in ("user", "password") if params.get(name))
    query = "&".join(f"{name}={quote(str(params[name]), safe='')}" for name in ("host", "port") if params.get(name))
    environment = os.environ | {"DATABASE_URL": f"postgres://{login}@/{params['dbname']}?{query}"}
    code = (
        "import os, resource, sys, django; django.setup(); from django.core.management import call_command\n"
        f"{first}\n"
        "try: call_command(*sys.argv[1:])\n"
        "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, *command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    *_, counters, megabytes = process.stdout.split("\n")[:-1]
    return json.loads(counters), int(megabytes)


class Served:
    """A sandbox in another process, on a loopback port."""

    def __init__(self, slug: str, *, limits: bool, **options: Any) -> None:
        self.slug, self.limits, self.options = slug, limits, options
        self._folder = Path(tempfile.mkdtemp(prefix="crmsync-bench-"))

    def __enter__(self) -> Served:
        code = (
            # Looking for cycles among all its records stops it for a second, and the requests of that second are then
            # counted as one burst.
            "import gc; gc.disable()\n"
            "import sys, json, time; from pathlib import Path; import django; django.setup()\n"
            "from connectors.core import registry; from connectors.core.testing import SandboxServer\n"
            "options = json.loads(sys.argv[2]); limits = options.pop('limits')\n"
            "sandbox = registry.sandbox_class(sys.argv[1])(enforce_limits=limits, **options)\n"
            "server = SandboxServer(sandbox).start(); Path(sys.argv[3]).write_text(server.url)\n"
            "time.sleep(3600)"
        )
        address = self._folder / "address"
        options = json.dumps({"limits": self.limits, **self.options})
        self._process = subprocess.Popen([sys.executable, "-c", code, self.slug, options, str(address)], cwd=ROOT)
        while not (address.exists() and address.read_text()):
            if self._process.poll() is not None:
                raise RuntimeError("the sandbox did not start")
            time.sleep(0.05)
        self.url = address.read_text()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(10)

    def config(self, slug: str) -> dict[str, Any]:
        """Settings and secrets that sign in at this sandbox."""
        from connectors.core import registry

        sandbox_class = registry.sandbox_class(slug)
        if sandbox_class is None:
            raise RuntimeError(f"{slug} has no sandbox")
        return dict(sandbox_class().config(self.url))
