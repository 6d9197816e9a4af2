"""What is wrong with a running server, as far as a browser sees it: its headers, its cookies, and plain http."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from admit.findings import error, note, ok, warning
from admit.flask.development import is_loopback
from admit.flask.visits import Unreachable, place_of, visit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from admit.findings import Finding
    from admit.flask.visits import Place, SeenCookie, Visit

    Fetch = Callable[..., Visit]

__all__ = ["visit_findings"]

_PAGE, _API = "/account/sign-in", "/api/account/"
_JSON = {"Accept": "application/json", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "none"}
_REDIRECTS = {301, 302, 303, 307, 308}
_NOT_FOUND, _OK, _UNAUTHORIZED = 404, 200, 401
_HTTP_PORT = 80
#: Half a year, as OWASP's cheat sheet has it for a start; two for the lists that browsers ship.
_LEAST_HSTS = timedelta(days=182)
_MAX_AGE = re.compile(r"max-age=\"?(\d{1,12})", re.IGNORECASE)
_VERSION = re.compile(r"/\d")
_POLICIES = {"no-referrer", "origin", "same-origin", "strict-origin", "strict-origin-when-cross-origin"}
_IF_ELSEWHERE = "If accounts are elsewhere, give the address of what they are below."
_WHAT_ADMIT_SETS = "Admit's own pages have it; see that the proxy keeps it, and set it for the other pages too."


def visit_findings(url: str, login: tuple[str, str] | None = None, *, fetch: Fetch = visit) -> Iterator[Finding]:
    """Return what a browser would see of a server.

    Args:
        url: The address of the site; a path in it is looked at, too.
        login: Name and password to sign in with, in order to see the cookie of a session, which is ended at once.
        fetch: Sends one request.

    Raises:
        ConfigurationError: The address is none.
    """
    place = place_of(url)
    if login is not None and place.scheme == "http" and not is_loopback(place.netloc):
        sentence = "Nobody was signed in, because the password would cross the network for all to read."
        yield error("sign_in", sentence, "Give an address that begins with https.")
        login = None
    try:
        front = fetch(place)
        page, api = fetch(place.at(_below(place, _PAGE))), fetch(place.at(_below(place, _API)), headers=_JSON)
        signed_in = [] if login is None else list(_sign_in(place, login, fetch))
    except Unreachable as problem:
        yield error("reachable", f"The server can't be visited: {problem}.", "Check the address, and that it runs.")
        return
    yield from _transport(place, fetch)
    pages = [one for one in (front, page) if one.status != _NOT_FOUND]
    for one in pages:
        yield from _headers(one)
    yield from _account_page(page)
    yield from _api(api)
    yield from _cookies([*pages, api, *signed_in], login)
    if signed_in and signed_in[0].status != _OK:
        yield warning("sign_in", "Signing in did not succeed, so that no cookie was seen.", "Check name and password.")


def _below(place: Place, path: str) -> str:
    return place.path.rstrip("/") + path


# -- transport --------------------------------------------------------------------------------------------------------


def _transport(place: Place, fetch: Fetch) -> Iterator[Finding]:
    if place.scheme == "http":
        is_here = is_loopback(place.netloc)
        sentence = "The site is served by plain http: passwords and cookies cross the network for all to read."
        yield (note if is_here else error)("https", sentence, "Serve it by https, and look at it there.")
        return
    yield ok("https", "The site is served by https, with a certificate that is good.")
    if place.port not in {None, 443}:
        return
    try:
        answer = fetch(place._replace(scheme="http", port=_HTTP_PORT))
    except Unreachable:
        yield ok("redirect", "Nobody answers by plain http.")
        return
    target = answer.headers.get("location", "")
    if answer.status in _REDIRECTS and target.startswith("https:"):
        yield ok("redirect", "Plain http leads to https.")
    else:
        sentence = f"By plain http the site answers {answer.status}, and does not lead to https."
        yield error("redirect", sentence, "Let the proxy answer every request by http with a redirect to https.")


# -- headers ----------------------------------------------------------------------------------------------------------


def _headers(seen: Visit) -> Iterator[Finding]:
    where, headers = seen.place.path, seen.headers
    if seen.place.scheme == "https":
        yield _hsts(headers.get("strict-transport-security"), where)
    if seen.status not in _REDIRECTS:
        is_right = headers.get("x-content-type-options", "").lower() == "nosniff"
        yield _named("nosniff", "X-Content-Type-Options", is_right, where)
    if seen.is_page and seen.status not in _REDIRECTS:
        yield _policy(headers.get("content-security-policy"), where)
        yield _frames(seen, where)
        policies = {one.strip() for one in headers.get("referrer-policy", "").lower().split(",")}
        yield _named("referrer", "Referrer-Policy", bool(policies & _POLICIES), where)
    yield from _banners(seen)


def _named(check: str, name: str, is_right: bool, where: str) -> Finding:  # noqa: FBT001 -- what it is about
    if is_right:
        return ok(check, f"{where} has {name}.")
    return warning(check, f"{where} has no {name} that protects.", _WHAT_ADMIT_SETS)


def _hsts(value: str | None, where: str) -> Finding:
    found = _MAX_AGE.search(value or "")
    if found and timedelta(seconds=int(found[1])) >= _LEAST_HSTS:
        return ok("hsts", f"{where} tells browsers to come by https only.")
    sentence = f"{where} does not tell browsers to come by https only, or not for long."
    return error("hsts", sentence, "Send Strict-Transport-Security: max-age=31536000.")


def _policy(value: str | None, where: str) -> Finding:
    if not value:
        return warning("csp", f"{where} has no Content-Security-Policy.", _WHAT_ADMIT_SETS)
    directives = {one[0]: one for one in _directives(value)}
    scripts = directives.get("script-src") or directives.get("default-src") or [""]
    is_guarded = any(one.startswith(("'nonce-", "'sha")) or one == "'strict-dynamic'" for one in scripts)
    if scripts == [""] or "*" in scripts or ("'unsafe-inline'" in scripts and not is_guarded):
        sentence = f"The Content-Security-Policy of {where} lets any script run."
        return warning("csp", sentence, "Name where scripts come from in script-src, without 'unsafe-inline'.")
    return ok("csp", f"The Content-Security-Policy of {where} says which scripts run.")


def _directives(value: str) -> list[list[str]]:
    return [words for part in re.split("[;,]", value.lower()) if (words := part.split())]


def _frames(seen: Visit, where: str) -> Finding:
    directives = [one[0] for one in _directives(seen.headers.get("content-security-policy", ""))]
    is_kept_out = "frame-ancestors" in directives or seen.headers.get("x-frame-options", "").lower() in {
        "deny",
        "sameorigin",
    }
    return _named("frames", "frame-ancestors in its Content-Security-Policy", is_kept_out, where)


def _banners(seen: Visit) -> Iterator[Finding]:
    for name in ("server", "x-powered-by"):
        value = seen.headers.get(name, "")
        if _VERSION.search(value):
            sentence = f"{seen.place.path} says which version of which program answers: {value[:100]}."
            yield note("banner", sentence, f"Take the header {name.title()} out, or its version.")


# -- accounts ---------------------------------------------------------------------------------------------------------


def _account_page(page: Visit) -> Iterator[Finding]:
    where = page.place.path
    if page.status != _OK:
        sentence = f"There is no page to sign in at {where}: it answers {page.status}."
        yield note("sign_in_page", sentence, _IF_ELSEWHERE)
    elif "no-store" in page.headers.get("cache-control", "").lower():
        yield ok("cache", f"{where} is stored nowhere.")
    else:
        sentence = f"{where} may be stored by a proxy or the browser, and shown to somebody else."
        yield error("cache", sentence, "See that what is in between keeps Cache-Control: no-store.")


def _api(api: Visit) -> Iterator[Finding]:
    where = api.place.path
    if api.status == _UNAUTHORIZED:
        is_problem = api.headers.get("content-type", "").startswith("application/problem+json")
        if is_problem and "no-store" in api.headers.get("cache-control", "").lower():
            yield ok("api", f"{where} refuses strangers, and the answer is stored nowhere.")
        else:
            sentence = f"{where} refuses strangers, but something in between has changed the answer."
            yield warning("api", sentence, "Let the proxy pass answers of errors on as they are.")
    elif api.status == _OK:
        yield error("api", f"{where} answers whoever asks, without a login.", "Find out what answers there.")
    else:
        yield note("api", f"There is no API of accounts at {where}: it answers {api.status}.", _IF_ELSEWHERE)


def _sign_in(place: Place, login: tuple[str, str], fetch: Fetch) -> Iterator[Visit]:
    """Sign in and out again."""
    name, password = login
    here = place.at("")
    own = {**_JSON, "Sec-Fetch-Site": "same-origin", "Origin": str(here)}
    body = {"identifier": name, "password": password}
    answer = fetch(place.at(_below(place, f"{_API}sign-in")), method="POST", headers=own, body=body)
    yield answer
    held = "; ".join(f"{one.name}={one.value}" for one in answer.cookies if one.value)
    if held:
        out = place.at(_below(place, f"{_API}sign-out"))
        yield fetch(out, method="POST", headers={**own, "Cookie": held})


def _cookies(visits: Iterable[Visit], login: Any) -> Iterator[Finding]:
    seen = {one.name: (one, visited) for visited in visits for one in visited.cookies if one.value}
    for cookie, visited in seen.values():
        yield from _cookie(cookie, is_https=visited.place.scheme == "https")
    if not seen and login is None:
        sentence = "No cookie was set, as is right for a stranger."
        yield note("cookies", sentence, "To see that of a session, sign in by --sign-in NAME.")


def _cookie(cookie: SeenCookie, *, is_https: bool) -> Iterator[Finding]:
    name, has, found = cookie.name, cookie.attributes, list["Finding"]()
    if "secure" not in has:
        sentence = f"The cookie {name} is not Secure, so that browsers send it by plain http, too."
        found.append((error if is_https else note)("cookies", sentence, "Set it over https only, with Secure."))
    if "httponly" not in has:
        found.append(warning("cookies", f"Any script reads the cookie {name}.", "Set it with HttpOnly."))
    if has.get("samesite", "").lower() not in {"lax", "strict"}:
        sentence = f"The cookie {name} goes along with requests of other sites."
        found.append(warning("cookies", sentence, "Set it with SameSite=Lax."))
    if has.get("domain"):
        sentence = f"The cookie {name} is for every host below {has['domain']}."
        found.append(warning("cookies", sentence, "Set it without Domain."))
    elif is_https and not name.startswith("__Host-"):
        sentence = f"Another host of this domain can plant the cookie {name}."
        found.append(note("cookies", sentence, 'Let its name begin with "__Host-".'))
    yield from found or [ok("cookies", f"The cookie {name} is Secure, HttpOnly, SameSite, and for one host.")]
