"""For the tests of applications and of stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from admit.testing.clock import Clock
from admit.testing.samples import a_session

if TYPE_CHECKING:
    from admit.testing.store_contract import StoreContract

__all__ = ["Clock", "StoreContract", "a_session"]


def __getattr__(name: str) -> Any:
    # Who tests an application needs neither Hypothesis nor pytest for it.
    if name != "StoreContract":
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    import pytest

    # So that a broken promise shows the values, as in a test module.
    pytest.register_assert_rewrite(
        *(f"admit.testing.store_{part}" for part in ("contract", "endings", "machine", "races"))
    )
    from admit.testing.store_contract import StoreContract

    return StoreContract
