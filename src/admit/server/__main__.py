"""``python -m admit.server`` does what ``admit`` does."""

from __future__ import annotations

from admit.server.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    main(prog_name="admit")
