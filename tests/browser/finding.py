"""Which browser the tests use: a Chrome or Chromium of this machine, or what `make browser` got."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
)
APPLICATIONS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
SHELLS = {"chrome-headless-shell", "chrome-headless-shell.exe", "headless_shell"}
DOWNLOADED = Path(__file__).parents[2] / ".tools" / "browsers"
"""Where `make browser` puts one that is for this project only."""

NOT_FOUND = (
    "no Chrome or Chromium was found: `make browser` installs one, or set RELAY_BROWSER to one"
)


def find_browser() -> str | None:
    """The path of a browser; None if there is none."""
    asked = os.environ.get("RELAY_BROWSER")
    if asked:
        return shutil.which(asked)
    found = next(filter(None, map(shutil.which, NAMES)), None)
    applications = (path for path in APPLICATIONS if Path(path).exists())
    downloaded = (
        str(path)
        for path in sorted(DOWNLOADED.rglob("*headless*shell*"), reverse=True)
        if path.name in SHELLS and path.is_file()
    )
    return found or next(applications, None) or next(downloaded, None)


if __name__ == "__main__":
    print(find_browser() or "")  # noqa: T201 - for the Makefile
