"""Debian's packages: installing them where this user may."""

from __future__ import annotations

import os
import shutil
import subprocess

__all__ = ["install"]


def install(*packages: str) -> bool:
    """Install packages of the system; ``False`` where that can't be done from here."""
    may = _as_root()
    if may is None:
        return False
    print(f"== installing {' '.join(packages)}", flush=True)
    apt = [*may, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    # A fresh machine has no lists yet, so that no package would be found.
    return _works([*apt, "update"]) and _works([*apt, "install", "-y", "--no-install-recommends", *packages])


def _as_root() -> list[str] | None:
    """Return the words that make a command run as root, or ``None``."""
    if not shutil.which("apt-get"):
        return None
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "-n"]  # never asks for a password
    return sudo if shutil.which("sudo") and _works([*sudo, "true"]) else None


def _works(command: list[str]) -> bool:
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode and "apt-get" in command:
        print(done.stderr, flush=True)
    return done.returncode == 0
