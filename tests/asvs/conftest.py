"""The site and the people of the attacks."""

from __future__ import annotations

from tests.attacks.conftest import ada, new_site, site, thief

__all__ = ["ada", "new_site", "site", "thief"]
