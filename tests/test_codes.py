"""Links and codes of mails: each opens its own challenge, and only hashes are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from admit import codes
from admit.model import Challenge

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def kept(mailed: codes.Mailed) -> Challenge:
    """Return the challenge of a mail."""
    return Challenge("id", "kind", "ada", b"", NOW, NOW + timedelta(days=1), mailed.details)


def test_what_a_mail_holds() -> None:
    """A link and eight digits in two groups, different each time, of which only hashes are kept."""
    one, other = codes.new(), codes.new()
    assert one != other
    assert len(one.code.replace(" ", "")) == 8
    assert one.code[4] == " "
    assert not {one.secret, one.code, one.code.replace(" ", "")} & set(one.details.values())
    assert one.secret not in repr(one)
    assert one.code not in repr(one)


def test_each_opens_its_own() -> None:
    """Neither link nor code of one mail is good for another, nor is one good in the place of the other."""
    one, other = codes.new(), codes.new()
    assert codes.is_link(kept(one), one.secret)
    assert codes.is_code(kept(one), one.code)
    for secret, code in ((other.secret, other.code), (one.code, one.secret), ("", "")):
        assert not codes.is_link(kept(one), secret)
        assert not codes.is_code(kept(one), code)


@pytest.mark.parametrize("between", ["", " ", "-", "\u00a0", "\t", "  - "])
def test_however_it_is_spaced(between: str) -> None:
    """People and phones put blanks and hyphens between digits."""
    mailed = codes.new()
    assert codes.is_code(kept(mailed), f" {between.join(mailed.code.replace(' ', ''))} ")
