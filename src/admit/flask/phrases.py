"""What templates say in the language of their reader: sentences, counts, times and spans of time."""

from __future__ import annotations

from datetime import UTC, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from admit.flask.languages import catalog, said
from admit.hosts import is_like_host

if TYPE_CHECKING:
    from datetime import datetime

    from babel import Locale
    from jinja2 import Template

    from admit.model import Account

__all__ = ["ago", "counted", "date", "duration", "hello", "phrases", "sentence", "templates_of", "when"]

#: English has the day before the month in most of the world, and so that nobody takes one for the other.
_LOCALES = {"en": "en_GB"}

#: A span is said in a unit of which it has at least two: "24 hours", and not "1 day".
_THRESHOLD = 2


def phrases(language: str, now: datetime | None = None) -> dict[str, Any]:
    """Return what every template can call, by the names that it has there.

    Args:
        language: The language of whoever reads it.
        now: The present time, for pages; a mail is read later.
    """
    found: dict[str, Any] = {
        "_": partial(sentence, language),
        "ngettext": partial(counted, language),
        "date": partial(date, language),
        "when": partial(when, language),
        "duration": partial(duration, language),
    }
    return found if now is None else {**found, "ago": partial(ago, language, now)}


def templates_of(name: str, kind: str) -> list[str | Template]:
    """Return the names that the template of a page or mail may have, the one that counts first.

    Those of Admit are below ``admit/``, where an application has none by chance. A feature of others may have its own
    elsewhere.

    Args:
        name: What the feature calls it, such as ``account/show``.
        kind: How the name of its file ends.
    """
    file = f"{name}.{kind}"
    return [file] if name.startswith("admit/") else [f"admit/{file}", file]


def sentence(language: str, text: str, /, **parts: object) -> str:
    """Return a sentence with its parts in their places.

    As soon as a part is markup, so is the sentence, and whatever else is in it is escaped.
    """
    found = said(text, language)
    if any(hasattr(part, "__html__") for part in parts.values()):
        return escape(found).format(**parts)
    return found.format(**parts) if parts else found


def counted(language: str, one: str, many: str, count: int, /) -> str:
    """Return the sentence that goes with a number, in as many forms as the language has."""
    return catalog(language).ngettext(one, many, count).format(count=count)


def date(language: str, at: datetime, /) -> str:
    """Return a time in words, such as "24 November 2026, 16:40 UTC"."""
    from babel.dates import format_date, format_time

    locale, at = _locale(language), at.astimezone(UTC)
    day, time = format_date(at, "long", locale=locale), format_time(at, "short", locale=locale)
    return str(locale.datetime_formats["medium"]).format(time, day) + " UTC"


def when(language: str, at: datetime, /) -> Markup:
    """Return a time as an element, which the script of our pages says in the reader's own time zone."""
    return Markup('<time datetime="{}" data-local>{}</time>').format(_machine(at), date(language, at))


def ago(language: str, now: datetime, at: datetime, /) -> Markup:
    """Return how long ago something was, as an element: "3 minutes ago"."""
    from babel.dates import format_timedelta

    past = max(now - at, timedelta())
    words = (
        said("just now", language)
        if past < timedelta(minutes=1)
        else format_timedelta(-past, granularity="minute", add_direction=True, locale=_locale(language))
    )
    return Markup('<time datetime="{}">{}</time>').format(_machine(at), words)


def duration(language: str, /, **span: float) -> str:
    """Return a span of time in words: ``duration(minutes=20)`` is "20 minutes"."""
    from babel.dates import format_timedelta

    return format_timedelta(timedelta(**span), threshold=_THRESHOLD, locale=_locale(language))


def hello(language: str, account: Account, /) -> str:
    """Return the greeting of a mail to the owner of an account.

    Whoever signs up with somebody else's address chooses the name in the mail to them, so that it has none as long as
    nobody has confirmed the address, and no user name in it ever becomes a link.
    """
    is_confirmed = account.email is not None and account.email.verified_at is not None
    is_a_name = account.username is None or not is_like_host(account.username.value)
    # Both are made, because a mail to nobody must take as long as one to a confirmed address.
    named, unnamed = said("Hello {name},", language).format(name=account.label), said("Hello,", language)
    return named if is_confirmed and is_a_name else unnamed


def _machine(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _locale(language: str) -> Locale:
    from babel import Locale

    return Locale.parse(_LOCALES.get(language, language))
