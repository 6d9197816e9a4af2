"""Challenges: sent out, and taken back once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admit import tokens
from admit.challenges import Challenges
from admit.errors import InvalidChallenge
from admit.model import Challenge
from admit.stores.memory import MemoryStore
from admit.testing import Clock

MINUTE = timedelta(minutes=1)


class Site:
    """Challenges over a store in memory, with a clock that stands still."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore()
        self.challenges = Challenges(self.store, self.clock)

    def is_refused(self, kind: str, token: str) -> bool:
        """Tell whether neither looking nor taking is possible."""
        for verb in (self.challenges.look, self.challenges.take):
            try:
                verb(kind, token)
            except InvalidChallenge:
                continue
            return False
        return True


@pytest.fixture
def site() -> Site:
    """Return a new site."""
    return Site()


def test_it_comes_back_with_what_was_noted(site: Site) -> None:
    """Whoever brings the token gets whom it is about and what was noted; looking leaves it to be taken."""
    token = site.challenges.issue("reset", "ada", MINUTE, {"key": "a@b.c"})
    looked = site.challenges.look("reset", token)
    taken = site.challenges.take("reset", token)
    assert looked == taken
    assert (taken.subject, dict(taken.details)) == ("ada", {"key": "a@b.c"})
    assert site.is_refused("reset", token)


def test_nobody_can_read_it_from_the_store(site: Site) -> None:
    """What is kept opens nothing: only a hash of the secret, and no repr shows even that."""
    token = site.challenges.issue("reset", "ada", MINUTE)
    kept = site.store.get_challenge(token.split(".")[0])
    assert isinstance(kept, Challenge)
    secret = token.split(".")[1]
    assert secret not in repr(kept)
    assert secret.encode() not in kept.secret_hash
    assert len(kept.secret_hash) == 32


def test_only_for_its_purpose(site: Site) -> None:
    """A token of one kind is worth nothing at another, and a try there does not use it up."""
    token = site.challenges.issue("verify", "ada", MINUTE)
    assert site.is_refused("reset", token)
    assert site.challenges.take("verify", token).subject == "ada"


def test_only_in_time(site: Site) -> None:
    """It works until its lifetime is over, and not at that moment any more."""
    first = site.challenges.issue("reset", "ada", MINUTE)
    site.clock.advance(MINUTE - timedelta(microseconds=1))
    site.challenges.look("reset", first)
    site.clock.advance(timedelta(microseconds=1))
    assert site.is_refused("reset", first)


def test_a_newer_one_voids_the_older(site: Site) -> None:
    """One that stands alone voids those of its kind and subject, and no others."""
    old, others = (
        site.challenges.issue("reset", "ada", MINUTE),
        [site.challenges.issue("reset", "bob", MINUTE), site.challenges.issue("verify", "ada", MINUTE)],
    )
    new = site.challenges.issue("reset", "ada", MINUTE, alone=True)
    assert site.is_refused("reset", old)
    assert site.challenges.take("reset", new)
    assert site.challenges.look("reset", others[0])
    assert site.challenges.look("verify", others[1])


def test_voiding(site: Site) -> None:
    """All of a subject's challenges can be made worthless at once, or those of one kind."""
    tokens = {kind: site.challenges.issue(kind, "ada", MINUTE) for kind in ("reset", "verify", "login")}
    assert site.challenges.void("ada", kind="reset") == 1
    assert site.is_refused("reset", tokens["reset"])
    assert site.challenges.void("ada") == 2
    assert site.is_refused("verify", tokens["verify"])
    assert site.challenges.void("ada") == 0


def test_an_id_alone_opens_nothing(site: Site) -> None:
    """Whoever knows the id of another's challenge needs its secret as well."""
    mine, another = (site.challenges.issue("reset", name, MINUTE) for name in ("eve", "ada"))
    forged = f"{another.partition('.')[0]}.{mine.partition('.')[2]}"
    assert site.is_refused("reset", forged)
    assert site.challenges.take("reset", another).subject == "ada"


@given(st.data())
def test_a_token_that_was_changed_opens_nothing(data: st.DataObject) -> None:
    """Any other spelling, cut, longer or recased, is refused and leaves the right one working."""
    site = Site()
    token = site.challenges.issue("reset", "ada", MINUTE)
    place = data.draw(st.integers(0, len(token) - 1))
    changed = data.draw(
        st.sampled_from([token[:place], token + "A", token.swapcase(), token[:place] + "*", "", "."])
        | st.text(max_size=90)
    )
    if changed != token:
        assert site.is_refused("reset", changed)
    assert site.challenges.take("reset", token).subject == "ada"


def test_one_winner(site: Site) -> None:
    """Of eight that bring one token at the same moment, one gets it."""
    token = site.challenges.issue("reset", "ada", MINUTE)

    def takes() -> bool:
        try:
            site.challenges.take("reset", token)
        except InvalidChallenge:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        won = [one.result() for one in [threads.submit(takes) for _ in range(8)]]
    assert won.count(True) == 1


def test_used_between_looking_and_taking(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has looked and comes too late to take is refused like everybody else."""
    token = site.challenges.issue("reset", "ada", MINUTE)
    get = site.store.get_challenge

    def get_and_lose(challenge_id: str) -> Challenge | None:
        found = get(challenge_id)
        site.store.take_challenge(challenge_id)
        return found

    monkeypatch.setattr(site.store, "get_challenge", get_and_lose)
    with pytest.raises(InvalidChallenge) as caught:
        site.challenges.take("reset", token)
    assert caught.value.reason == "used at the same moment"


def test_a_secret_of_its_own(site: Site) -> None:
    """What is sent out besides opens a challenge by its own hash, and not by the other's."""
    hashed = tokens.hash_secret("A" * 43).hex()
    token = site.challenges.issue("reset", "ada", MINUTE, {"link": hashed})
    link = f"{token.partition('.')[0]}.{'A' * 43}"
    assert site.challenges.look("reset", link, by="link") == site.challenges.look("reset", token)
    for kind, text, by in (("reset", link, None), ("reset", token, "link"), ("other", link, "link")):
        with pytest.raises(InvalidChallenge):
            site.challenges.look(kind, text, by=by)


def test_claiming(site: Site) -> None:
    """One caller gets a challenge, and it can be told that nobody has it yet."""
    token = site.challenges.issue("reset", "ada", MINUTE)
    found = site.challenges.look("reset", token)
    assert site.challenges.is_kept(found.id)
    assert site.challenges.claim(found.id) == found
    assert not site.challenges.is_kept(found.id)
    assert site.challenges.claim(found.id) is None
