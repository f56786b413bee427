"""Makes the pictures of README.md from a fresh demonstration: `make screenshots`. Needs a Chromium on this machine."""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.docs.pages import ROOT
from tests.platform.processes import environment, free_port

EMAIL, PASSWORD = "admin@crmsync.local", "correct horse battery staple"
IMAGES = ROOT / "docs" / "images"
SIZE = {"width": 1280, "height": 800}
QUALITY = 70
READY_SECONDS, SYNCED_SECONDS = 120.0, 60.0


def main() -> None:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        raise SystemExit("No Chromium was found on this machine.")
    home = Path(tempfile.mkdtemp(prefix="crmsync-pictures-"))
    home.chmod(0o711)
    port = free_port()
    login = {f"DJANGO_SUPERUSER_{k}": v for k, v in {"EMAIL": EMAIL, "PASSWORD": PASSWORD, "USERNAME": "admin"}.items()}
    command = [sys.executable, "manage.py", "run", f"--port={port}"]
    hub = subprocess.Popen(command, cwd=ROOT, env=environment(home, **login), stdout=subprocess.DEVNULL)
    try:
        _wait(f"http://127.0.0.1:{port}")
        time.sleep(SYNCED_SECONDS)  # until the samples have arrived everywhere
        _take(found, f"http://127.0.0.1:{port}")
    finally:
        hub.terminate()
        hub.wait(60)
        shutil.rmtree(home, ignore_errors=True)


def _wait(address: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{address}/health", timeout=5).close()
            return
        except OSError:
            time.sleep(0.5)
    raise SystemExit("The demonstration did not start.")


def _take(chromium: str, address: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport=SIZE, color_scheme="light", locale="en-GB")
        page.goto(f"{address}/admin/login/")
        page.fill("input[name=username]", EMAIL)
        page.fill("input[name=password]", PASSWORD)
        page.click("button[type=submit]")
        page.wait_for_url(f"{address}/admin/")
        _shoot(page, "dashboard")
        for name, listed in {
            "contact": "contacts/contact/?q=Zo%C3%AB",
            "run": "syncjobs/run/?kind__exact=push",
        }.items():
            page.goto(f"{address}/admin/{listed}")
            page.goto(address + page.locator("#result_list tbody th a").first.get_attribute("href"))
            _shoot(page, name)
        browser.close()


def _shoot(page: Any, name: str) -> None:
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready")
    # Playwright itself writes no WebP; the browser does.
    shot = page.context.new_cdp_session(page).send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    IMAGES.mkdir(exist_ok=True)
    target = IMAGES / f"{name}.webp"
    target.write_bytes(base64.b64decode(shot["data"]))
    sys.stdout.write(f"{target.relative_to(ROOT)}: {target.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main()
