"""For the tests of applications and of stores."""

from __future__ import annotations

import pytest

# So that a broken promise shows the values, as in a test module.
pytest.register_assert_rewrite(*(f"admit.testing.store_{part}" for part in ("contract", "machine", "races")))

from admit.testing.clock import Clock  # noqa: E402
from admit.testing.store_contract import StoreContract  # noqa: E402
from admit.testing.store_races import a_session  # noqa: E402

__all__ = ["Clock", "StoreContract", "a_session"]
