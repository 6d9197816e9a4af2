"""What is wrong with an application's cookies, and with how long a login lasts; told from facts alone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from admit.findings import Finding, Severity, at_most, error, in_words, note, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from admit.flask.facts import CookieFacts, Facts

__all__ = ["cookie_findings"]

_DAY = timedelta(days=1)
#: The most that is usual: NIST SP 800-63B-4, section 2.1.3, wants a new proof after 30 days; a remembered device may
#: go on for longer, and browsers forget a cookie after 400 days (RFC 6265bis).
_LONGEST, _LONGEST_REMEMBERED = 30 * _DAY, 400 * _DAY
_LONGEST_FRESH = timedelta(hours=1)
_LONGEST_NEAR = timedelta(minutes=1)


def cookie_findings(facts: Facts) -> Iterator[Finding]:
    """Return what can be told of cookies and sessions."""
    if not facts.is_stored:
        yield from _flags("SESSION_COOKIE", facts.session_cookie, facts, carries_login=True)
        yield from _flags("REMEMBER_COOKIE", facts.remember_cookie, facts, carries_login=True)
        yield _remembered(facts)
        yield _protection(facts)
        return
    if facts.secret_key:
        # Nothing of Admit's is in it, but messages and what the application itself puts there.
        yield from _flags("SESSION_COOKIE", facts.session_cookie, facts, carries_login=False)
    yield from _own_cookie(facts)
    yield from _lifetimes(facts)


def _flags(prefix: str, cookie: CookieFacts, facts: Facts, *, carries_login: bool) -> Iterator[Finding]:
    """Tell of the attributes of a cookie that Flask sets."""
    check, found = prefix.lower(), list[Finding]()
    worst = error if carries_login and not facts.is_development else warning
    if not cookie.secure:
        sentence = f"{prefix}_SECURE is off, so that browsers send the cookie by plain http, too, where others read it."
        made = (note if facts.is_development else worst)(check, sentence, f"Set {prefix}_SECURE to True.")
        found.append(made)
    if not cookie.httponly:
        sentence = f"{prefix}_HTTPONLY is off, so that any script on a page reads the cookie."
        found.append(worst(check, sentence, f"Set {prefix}_HTTPONLY to True."))
    if cookie.samesite not in {"Lax", "Strict"}:
        sentence = f"{prefix}_SAMESITE is {cookie.samesite}, so that requests of other sites may carry the cookie."
        found.append(warning(check, sentence, f'Set {prefix}_SAMESITE to "Lax".'))
    if cookie.domain:
        sentence = f"{prefix}_DOMAIN is {cookie.domain}: every host below it reads the cookie, and can plant one."
        found.append(warning(check, sentence, f"Leave {prefix}_DOMAIN out."))
    yield from found or [ok(check, f"{prefix}_SECURE, _HTTPONLY and _SAMESITE are on.")]


def _remembered(facts: Facts) -> Finding:
    lifetime = facts.remember_cookie.lifetime
    value = timedelta(seconds=lifetime) if isinstance(lifetime, int) else lifetime
    why = "and nobody can take the cookie back before: it has no store"
    found = at_most("remember_lifetime", "REMEMBER_COOKIE_DURATION", value, 90 * _DAY, why)
    return found if found.severity is Severity.OK else note(found.check, found.sentence, found.advice)


def _protection(facts: Facts) -> Finding:
    if facts.protection:
        return ok("session_protection", f'SESSION_PROTECTION is "{facts.protection}".')
    sentence = "SESSION_PROTECTION is off: a copy of the cookie works from anywhere."
    return warning("session_protection", sentence, 'Set it to "basic" or "strong", or give LoginManager a store.')


def _own_cookie(facts: Facts) -> Iterator[Finding]:
    cookie, found = facts.cookie, list[Finding]()
    if cookie.domain:
        sentence = (
            f"{cookie.key('domain')} is {cookie.domain}: every host below it reads the cookie, and can plant one."
        )
        found.append(warning("cookie", sentence, "Leave it out, so that the cookie is for exactly this host."))
    if cookie.samesite == "None":
        sentence = f"{cookie.key('samesite')} is None, so that requests of other sites carry the cookie."
        found.append(warning("cookie", sentence, 'Leave it out, or set it to "Lax" or "Strict".'))
    yield from found or [
        ok("cookie", f"The session's cookie is Secure, HttpOnly, SameSite={cookie.samesite} and for one host.")
    ]


def _lifetimes(facts: Facts) -> Iterator[Finding]:
    sessions, near = facts.sessions, facts.store
    why = "and a login that somebody left open, or stole, is one for as long"
    check = "session_lifetime"
    found = [
        at_most(check, sessions.key("idle"), sessions.idle or sessions.absolute, _LONGEST, why),
        at_most(check, sessions.key("absolute"), sessions.absolute, _LONGEST, why),
        at_most(check, sessions.key("remembered_absolute"), sessions.remembered_absolute, _LONGEST_REMEMBERED, why),
        at_most("fresh_within", sessions.key("fresh_within"), sessions.fresh_within, _LONGEST_FRESH, _FRESH),
        at_most("near_max_age", near.key("near_max_age"), near.near_max_age, _LONGEST_NEAR, _NEAR),
    ]
    weak = [one for one in found if one.severity is not Severity.OK]
    if sessions.rotate_every is None:
        sentence = f"{sessions.key('rotate_every')} is None, so that a stolen secret of a session is never noticed."
        weak.append(warning("rotation", sentence, "Leave it out for the default."))
    ends = f"{in_words(sessions.absolute)}, remembered ones after {in_words(sessions.remembered_absolute)}"
    yield from weak or [ok(check, f"Sessions end after {ends}.")]


_FRESH = "and whoever comes to an unlocked screen can change what asks for a fresh login"
_NEAR = "and a session that was ended elsewhere goes on for as long if the push is lost"
