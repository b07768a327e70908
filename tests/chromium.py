"""Where Chromium is on this machine. Run as a program, it has the system's package manager install it where it can."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ON_A_MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
HOW = "install it (`apt-get install chromium`, `dnf install chromium`) or set CHROMIUM to its path"


def find() -> str | None:
    """The path of a Chromium: the one named by CHROMIUM, or the first of the usual ones."""
    if named := os.environ.get("CHROMIUM"):
        return shutil.which(named)
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or (str(ON_A_MAC) if ON_A_MAC.exists() else None)


def install() -> None:
    """Ask apt-get for it, as root; elsewhere, and when apt-get can't, say loudly what will be missing."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing Chromium for the browser tests ...", flush=True)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", "-qq", *command], env=quiet, stdout=subprocess.DEVNULL, check=False)
    if find() is None:
        print(f"\n*** NO CHROMIUM: the browser tests will be SKIPPED. To run them, {HOW}. ***\n", file=sys.stderr)


if __name__ == "__main__" and find() is None:
    install()
