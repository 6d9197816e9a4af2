"""What breaks under traffic costs the requests that are under way, and nothing else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.deployment.browsers import Browser, Failure, Journal, Surprise
from tests.deployment.site import PASSWORD, Outage
from tests.deployment.visitors import crowd
from tests.deployment.watching import watched

if TYPE_CHECKING:
    from tests.deployment.site import Site

pytestmark = pytest.mark.deployed

CLIENTS, WITNESSES, CALM = 4, 2, 0.7


def test_what_breaks_costs_what_is_under_way(site: Site) -> None:
    """A killed worker and stores that are started again lose no session, bring none back, and answer nothing wrong."""
    outages = []
    with crowd(site, clients=CLIENTS, witnesses=WITNESSES, breath=0.05) as visiting, watched(site, 0.1) as samples:
        for breaking in (site.kill_worker, lambda: site.restart_redis(kill=True), site.restart_postgres):
            time.sleep(CALM)  # traffic has no end that one could wait for
            outages.append(breaking())
        time.sleep(CALM)  # as above: what the last fault has cost is to be over
        visiting.look_again()
    journal = visiting.journal
    assert journal.surprises == []
    assert journal.unexplained(outages) == []
    answers = journal.answers
    assert answers["GET /api/account/", 200] >= WITNESSES * 2
    assert answers["POST /api/account/sign-in", 200] > WITNESSES * 2
    assert answers["DELETE /api/account/devices", 200] >= WITNESSES
    # Each process hashes one password at a time, however many people log in.
    assert max(one.hashing for one in samples) == 1


def test_a_store_that_is_away_is_a_503_for_who_needs_it(site: Site) -> None:
    """Without Redis, who is logged in is told to come back, and is in again afterwards; strangers notice nothing."""
    journal = Journal()
    stranger, member = Browser(site.port, journal), Browser(site.port, journal)
    body = {"identifier": site.people[-1], "password": PASSWORD}
    member.send("/api/account/sign-in", body)
    site.redis.stop()
    try:
        away = [member.ask("GET", "/api/account/", None, [503]) for _ in range(4)]
        assert {answer.headers["retry-after"] for answer in away} == {"2"}
        assert all("set-cookie" not in answer.headers for answer in away)
        stranger.get("/account/sign-in")
        stranger.get("/healthz")
        stranger.get("/readyz", 503)
    finally:
        site.redis.start()
    assert member.get("/api/account/").json["email"] == body["identifier"]
    stranger.get("/readyz")


def test_the_journal_blames_what_was_broken_alone() -> None:
    """A failure counts as explained while its cause lasts, and only if its cause can have such an effect."""
    journal = Journal()
    lost, refused = Failure("GET /", 9.9, 10.05, "ConnectionResetError"), Failure("GET /", 9.9, 10.05, "503 b''")
    late, early = refused._replace(began=10.1, ended=10.2), lost._replace(began=8.0, ended=8.1)
    journal.failures += [lost, refused, late, early]
    worker, store = Outage("a killed worker", 10.0, 10.0), Outage("Redis restarted", 10.0, 10.0)
    assert journal.unexplained([worker, store]) == [late, early]
    assert journal.unexplained([worker]) == [refused, late, early]
    assert journal.unexplained([store]) == [lost, late, early]
    assert journal.unexplained([]) == journal.failures


def test_an_answer_that_nobody_expects_is_found(site: Site) -> None:
    """What is neither expected nor a store that is away is in the journal, with what it was."""
    journal = Journal()
    with pytest.raises(Surprise, match="GET /account/nowhere: 404"):
        Browser(site.port, journal).get("/account/nowhere")
    assert len(journal.surprises) == 1
