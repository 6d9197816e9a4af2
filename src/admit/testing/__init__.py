"""For the tests of applications and of stores."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from admit.testing.clock import Clock
from admit.testing.samples import a_challenge, a_credential, a_session, an_account, an_event

if TYPE_CHECKING:
    from admit.testing.account_contract import AccountContract
    from admit.testing.challenge_contract import ChallengeContract
    from admit.testing.counter_contract import CounterContract
    from admit.testing.credential_contract import CredentialContract
    from admit.testing.event_contract import EventContract
    from admit.testing.store_contract import StoreContract

__all__ = [
    "AccountContract",
    "ChallengeContract",
    "Clock",
    "CounterContract",
    "CredentialContract",
    "EventContract",
    "StoreContract",
    "a_challenge",
    "a_credential",
    "a_session",
    "an_account",
    "an_event",
]

_CONTRACTS = {
    "AccountContract": "account_contract",
    "ChallengeContract": "challenge_contract",
    "CounterContract": "counter_contract",
    "CredentialContract": "credential_contract",
    "EventContract": "event_contract",
    "StoreContract": "store_contract",
}
_THEIR_PARTS = ("account_races", "contract", "machines", "store_endings", "store_machine", "store_races")


def __getattr__(name: str) -> Any:
    # Who tests an application needs neither Hypothesis nor pytest for it.
    if name not in _CONTRACTS:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    import pytest

    # So that a broken promise shows the values, as in a test module.
    parts = [f"admit.testing.{part}" for part in (*_CONTRACTS.values(), *_THEIR_PARTS)]
    pytest.register_assert_rewrite(*(part for part in parts if part not in sys.modules))
    return getattr(import_module(f"admit.testing.{_CONTRACTS[name]}"), name)
