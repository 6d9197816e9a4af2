"""What these tests share: one site, which is the same after each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.deployment.site import deployed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.deployment.site import Site


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """Return the ready application under gunicorn, over PostgreSQL and Redis."""
    with deployed(people=60) as site:
        yield site
