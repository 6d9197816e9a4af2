"""What is wrong with how an application is deployed: secrets, addresses, proxies, workers and mails.

All of it is told from facts alone, so that each rule can be read and tested by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from admit.findings import error, note, ok, warning
from admit.flask.cookie_checks import cookie_findings
from admit.flask.development import is_loopback
from admit.flask.mailing import Unsent
from admit.flask.starting import HOW_TO_MAKE_ONE, weakness_of
from admit.mail import ConsoleSender
from admit.stores import is_in_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from admit.findings import Finding
    from admit.flask.facts import Facts

__all__ = ["findings_of"]

#: How many old keys there should be at most: each is one more that may have leaked.
_MOST_FALLBACKS = 2


def findings_of(facts: Facts) -> Iterator[Finding]:
    """Return what can be told of an application without asking anybody."""
    yield from _debugging(facts)
    yield from _secrets(facts)
    yield from cookie_findings(facts)
    yield from _addresses(facts)
    yield from _proxies(facts)
    yield from _memory(facts)
    yield from _throttle(facts)
    for feature in facts.features.values():
        yield from feature.examine(facts.features)


def _elsewhere(facts: Facts) -> Callable[[str, str, str], Finding]:
    """Return how bad it is what only development may do."""
    return note if facts.is_development else error


# -- secrets ----------------------------------------------------------------------------------------------------------


def _debugging(facts: Facts) -> Iterator[Finding]:
    if facts.is_debugging:
        yield error(
            "debug",
            "Debugging is on: whoever meets an error page reads the code and can run some.",
            "Leave out --debug and FLASK_DEBUG wherever others reach it.",
        )
    elif facts.is_development:
        yield note(
            "development",
            "This is development or a test, which may do with less: what it lacks is a note here.",
            "Look again without it before others reach it.",
        )


def _secrets(facts: Facts) -> Iterator[Finding]:
    yield _secret_key(facts)
    for number, secret in enumerate(facts.fallbacks, 1):
        weakness = "is empty" if not secret else weakness_of(secret)
        if weakness:
            yield error(
                "secret_key_fallbacks",
                f"Number {number} of SECRET_KEY_FALLBACKS {weakness}. What it signs is still believed.",
                "Take it out: who logged in under it logs in again.",
            )
    if facts.secret_key and facts.secret_key in facts.fallbacks:
        yield warning(
            "secret_key_fallbacks",
            "SECRET_KEY is among SECRET_KEY_FALLBACKS, so that nothing was rotated.",
            f"Set SECRET_KEY to a new one. {HOW_TO_MAKE_ONE}",
        )
    yield from _old_keys(facts)


def _secret_key(facts: Facts) -> Finding:
    if not facts.secret_key:
        if facts.is_stored:
            return ok("secret_key", "There is no SECRET_KEY, and Admit needs none: logins are in the store.")
        sentence = "There is no SECRET_KEY, so that nobody can log in."
        return error("secret_key", sentence, f"Set one. {HOW_TO_MAKE_ONE}")
    weakness = weakness_of(facts.secret_key)
    if weakness:
        return error("secret_key", f"SECRET_KEY {weakness}.", HOW_TO_MAKE_ONE)
    return ok("secret_key", "SECRET_KEY is long, and none that is known.")


def _old_keys(facts: Facts) -> Iterator[Finding]:
    if len(facts.fallbacks) > _MOST_FALLBACKS:
        yield note(
            "secret_key_fallbacks",
            f"There are {len(facts.fallbacks)} old keys, and each is believed as much as the present one.",
            "Take out those that were replaced longer ago than the longest cookie lives.",
        )
    if facts.fallbacks and not facts.knows_fallbacks:
        yield warning(
            "secret_key_fallbacks",
            "This version of Flask does not read SECRET_KEY_FALLBACKS, so that a new key empties its sessions.",
            "Install Flask 3.1 or later.",
        )


# -- addresses --------------------------------------------------------------------------------------------------------


def _addresses(facts: Facts) -> Iterator[Finding]:
    if facts.accounts is None:
        return
    yield _public_url(facts)
    for origin in facts.accounts.trusted_origins:
        if origin.startswith("http:") and not is_loopback(urlsplit(origin).netloc):
            yield error(
                "trusted_origins",
                f"ADMIT_TRUSTED_ORIGINS has {origin}: whoever is in between can send what changes something.",
                "Serve that site by https, or take it out.",
            )
    if facts.sends_mail and isinstance(facts.sender, ConsoleSender | Unsent):
        sentence = "Mails are not sent." if isinstance(facts.sender, Unsent) else "Mails are printed instead of sent."
        advice = 'Set ADMIT_MAIL_URL, as in "smtp://user:password@mail.example:587".'
        yield _elsewhere(facts)("mail", sentence, advice)


def _public_url(facts: Facts) -> Finding:
    url = facts.public_url
    advice = 'Set ADMIT_PUBLIC_URL to the address of this site, as in "https://app.example".'
    if url is None:
        return error("https", "The address of this site is not set, so that mails would have links to nowhere.", advice)
    if is_loopback(urlsplit(url).netloc):
        sentence = f"The address of this site is {url}, so that links in mails lead to the reader's own machine."
        return _elsewhere(facts)("public_url", sentence, advice)
    if not url.startswith("https:"):
        sentence = f"The address of this site is {url}: passwords and cookies cross the network for all to read."
        return _elsewhere(facts)("https", sentence, f"Serve it by https. {advice}")
    return ok("public_url", f"The address of this site is {url}.")


def _proxies(facts: Facts) -> Iterator[Finding]:
    believed = facts.proxies
    own = facts.accounts.proxies if facts.accounts is not None else 0
    if own and len(believed) > 1:
        yield error(
            "proxies",
            f"Proxies are counted twice: ADMIT_PROXIES is {own}, and the application has a ProxyFix of its own. "
            "Addresses of clients are then what they say themselves.",
            "Keep one of the two.",
        )
    elif believed:
        yield ok("proxies", f"{sum(believed)} entries of X-Forwarded-For are believed.")
    else:
        yield note(
            "proxies",
            "No proxy is believed. Behind one, all clients have its address, and https looks like http.",
            "If proxies of your own are in front, set ADMIT_PROXIES to how many; without features use ProxyFix.",
        )


# -- keeping and slowing down -----------------------------------------------------------------------------------------


def _memory(facts: Facts) -> Iterator[Finding]:
    stores = facts.stores
    if stores is None:
        return
    kept = (stores.sessions, stores.accounts, stores.credentials, stores.challenges, stores.counters)
    if not any(is_in_memory(one) for one in kept):
        return
    advice = "Use sqlite:///app.db or another store that lasts and that workers share."
    if facts.workers > 1:
        sentence = f"There are {facts.workers} workers, and each has a store in memory of its own."
        yield error("store_kind", sentence, advice)
    else:
        sentence = "The store is in memory: what it keeps is gone with this process."
        yield (note if facts.is_development else warning)("store_kind", sentence, advice)


def _throttle(facts: Facts) -> Iterator[Finding]:
    if facts.accounts is None:
        return
    found = list(_loose_limits(facts))
    yield from found or [ok("throttle", "Guessing is slowed down.")]


def _loose_limits(facts: Facts) -> Iterator[Finding]:
    settings = facts.throttle
    for name, most in (("pair", 100), ("address", 1000), ("account", 1000)):
        for part, value, limit in (
            ("burst", getattr(settings, f"{name}_burst"), most),
            ("interval", -getattr(settings, f"{name}_interval").total_seconds(), -1),
        ):
            if value > limit:
                key, found = settings.key(f"{name}_{part}"), getattr(settings, f"{name}_{part}")
                sentence = f"{key} is {found}, which lets whoever guesses try about as often as they like."
                yield warning("throttle", sentence, "Leave it out for the default.")
