"""A real n8n in a cache folder: installed once, started on loopback with a data folder of its own, stopped by pid."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[3]
VERSION = json.loads((HERE / "package.json").read_text())["dependencies"]["n8n"]
WORKFLOW = HERE.parents[1] / "workflow.json"
READY_WITHIN = 120.0
STOPPED_WITHIN = 30.0
# The least that n8n takes; so the limit can be met with few contacts.
PAYLOAD_MIB = "1"


def cache() -> Path:
    """Below XDG_CACHE_HOME where that is set, else in the checkout's own .cache."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else ROOT / ".cache") / "crmsync" / f"n8n-{VERSION}"


def install() -> Path:
    """The program, installed on first use: minutes and 1.6 GB. Raises RuntimeError, which says what is missing."""
    folder = cache()
    program = folder / "node_modules" / ".bin" / "n8n"
    done = folder / "installed"
    if done.exists() and program.exists():
        return program
    for tool, what in (("node", "Node 20.19 or newer, up to 24"), ("npm", "npm"), ("g++", "a C++ compiler")):
        if shutil.which(tool) is None:
            raise RuntimeError(f"{what} is needed to install n8n; there is no {tool} on this machine.")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "package.json", folder)
    options = [
        "--legacy-peer-deps",
        "--ignore-scripts",
        "--omit=optional",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]
    subprocess.run(["npm", "install", *options], cwd=folder, check=True)
    node = Path(shutil.which("node") or "").resolve().parent.parent
    # Where Node brings its headers along, they need not be fetched.
    headers = {"npm_config_nodedir": str(node)} if (node / "include" / "node").is_dir() else {}
    subprocess.run(["npm", "rebuild", "sqlite3", "--loglevel=error"], cwd=folder, check=True, env=os.environ | headers)
    done.touch()
    return program


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class N8n:
    """One instance, with the workflow of workflow.json published; `home` is its data folder."""

    def __init__(self, program: Path, home: Path, credential: dict[str, Any]) -> None:
        self.home, self._program = home, program
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = self._settings()
        self._log = (home / "n8n.log").open("ab")
        workflow = json.loads(WORKFLOW.read_text())
        # What a person does after importing it: choosing the credential.
        webhook = next(node for node in workflow["nodes"] if node["name"] == "Webhook")
        webhook["credentials"] = {credential["type"]: {"id": credential["id"], "name": credential["name"]}}
        (home / "credentials.json").write_text(json.dumps([credential]))
        (home / "workflow.json").write_text(json.dumps([workflow]))
        self._run("import:credentials", f"--input={home / 'credentials.json'}")
        self._run("import:workflow", f"--input={home / 'workflow.json'}")
        self._workflow = workflow["id"]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def database(self) -> Path:
        return self.home / ".n8n" / "database.sqlite"

    def publish(self) -> None:
        self._run("publish:workflow", f"--id={self._workflow}")

    def start(self, ready: str) -> None:
        """Waits until its webhooks answer with `ready` in their text: it opens its port seconds earlier."""
        self._process = subprocess.Popen(
            [str(self._program), "start"], env=self._environment, stdout=self._log, stderr=self._log
        )
        deadline = time.monotonic() + READY_WITHIN
        while ready not in self.asked("GET", "/webhook/crmsync")[1]:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"n8n did not start; its log is {self._log.name}.")
            time.sleep(0.2)

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def asked(self, method: str, path: str) -> tuple[int, str]:
        """Status and text of an answer, (0, "") while there is none."""
        request = urllib.request.Request(self.url + path, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()
        except OSError:
            return 0, ""

    def _run(self, *command: str) -> None:
        told = subprocess.run(
            [str(self._program), *command], env=self._environment, capture_output=True, text=True, timeout=READY_WITHIN
        )
        if told.returncode:
            raise RuntimeError(f"n8n {command[0]} failed: {told.stdout[-1000:]}{told.stderr[-1000:]}")

    def _settings(self) -> dict[str, str]:
        quiet = ("DIAGNOSTICS", "VERSION_NOTIFICATIONS", "TEMPLATES", "PERSONALIZATION", "HIRING_BANNER")
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "N8N_USER_FOLDER": str(self.home),
            "DB_TYPE": "sqlite",
            "N8N_HOST": "127.0.0.1",
            "N8N_LISTEN_ADDRESS": "127.0.0.1",
            "N8N_PORT": str(self.port),
            "N8N_RUNNERS_BROKER_PORT": str(free_port()),
            "N8N_PAYLOAD_SIZE_MAX": PAYLOAD_MIB,
            "N8N_ENCRYPTION_KEY": "a-key-of-this-test-alone",
            "N8N_SECURE_COOKIE": "false",
            "N8N_LICENSE_AUTO_RENEW_ENABLED": "false",
            "N8N_COMMUNITY_PACKAGES_ENABLED": "false",
            "N8N_DIAGNOSTICS_CONFIG_FRONTEND": "",
            "N8N_DIAGNOSTICS_CONFIG_BACKEND": "",
            "EXTERNAL_FRONTEND_HOOKS_URLS": "",
            "EXECUTIONS_DATA_PRUNE": "false",
            "NODE_ENV": "production",
            **{f"N8N_{name}_ENABLED": "false" for name in quiet},
        }
