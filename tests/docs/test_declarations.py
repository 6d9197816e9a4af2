"""What the documentation makes of declarations is complete, and says what is declared."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

import admit
from admit.errors import AdmitError, NotFound
from admit.events import Event, LoggedIn, SessionEnded, SessionStolen
from admit.model import IdentifierKind
from admit_declarations import (
    actions_of,
    catalogue,
    codes_of,
    errors_below,
    events_below,
    mails_of,
    publishers_of,
)
from admit_markdown import (
    WHAT_TO_DO,
    markdown_of_actions,
    markdown_of_errors,
    markdown_of_events,
    markdown_of_features,
    markdown_of_mails,
    markdown_of_pages,
    words_of,
)

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(admit.__file__).parent
PAGES = ROOT / "docs" / "features"

#: The number of an attack.
NUMBER = re.compile(r"(?<![\w,])\d{3}(?!\w)")

#: What the page of a feature has, in this order.
PARTS = ["```python", "## What the person sees", "## In detail", "## What attackers try", "## How to change it"]


class Lost(AdmitError):
    """An error of a test."""

    code: ClassVar[str] = "lost"
    status: ClassVar[int] = 410
    message: ClassVar[str] = "It is lost."


class LostAtSea(Lost):
    """A kind of it; see :class:`Lost`."""

    code: ClassVar[str] = "lost_at_sea"
    message: ClassVar[str] = "It is lost at sea."


@dataclass(frozen=True, slots=True, kw_only=True)
class Sunk(SessionEnded):
    """A ship of a test has sunk."""

    ship: str


def ours(kinds: list[type]) -> list[type]:
    """Return those that Admit itself declares."""
    return [kind for kind in kinds if kind.__module__.startswith("admit.")]


# -- errors -----------------------------------------------------------------------------------------------------------


def test_errors_are_listed_with_their_kinds() -> None:
    """Kinds of kinds of errors are listed too, once each, by status and code."""
    assert errors_below(Lost) == [LostAtSea]
    found = errors_below(AdmitError)
    assert {Lost, LostAtSea, NotFound} <= set(found)
    assert found.index(NotFound) < found.index(Lost) < found.index(LostAtSea)
    assert len(found) == len(set(found))


def test_every_error_says_what_to_do() -> None:
    """There is advice for each error of Admit, the features' own included, and for nothing else."""
    assert catalogue()
    assert {error.code for error in ours(errors_below(AdmitError))} == set(WHAT_TO_DO)


def test_an_error_is_described_whole() -> None:
    """Code, status, class, message, advice, and what it is a kind of."""
    text = markdown_of_errors([LostAtSea], {"lost_at_sea": "Send a boat."})
    assert text.startswith("(error-lost_at_sea)=\n**`lost_at_sea`** 410, ")
    assert f"`{__name__}.LostAtSea`. A kind of it; see `Lost`. A kind of {{ref}}`lost <error-lost>`." in text
    assert "- Says: “It is lost at sea.”" in text
    assert "- What to do: Send a boat." in text


# -- events -----------------------------------------------------------------------------------------------------------


def test_an_event_is_described_whole() -> None:
    """Name, module, docstring, kind, fields, and who publishes it."""
    text = markdown_of_events([Sunk, LoggedIn], label=lambda event: f"event-{event.__name__}")
    assert f"(event-Sunk)=\n**Sunk**, in `{__name__}`. A ship of a test has sunk. A kind of " in text
    assert "`by` (str or None), `ship` (str)\n- Nothing of Admit's own publishes it yet." in text
    assert text.endswith("- Published by `admit.gate`.")


def test_an_event_on_another_page_is_a_link() -> None:
    """Where events are not described they are links to where they are."""
    assert markdown_of_events([LoggedIn]) == "- {ref}`LoggedIn <event-LoggedIn>`: A session began."
    assert markdown_of_events([]) == "It publishes nothing."


def test_events_are_listed_once() -> None:
    """Each event is listed once, kinds of kinds included, and bases that never happen are not."""
    names = [event.__name__ for event in events_below(Event)]
    assert names == sorted(set(names))
    assert {"SessionStolen", "PasswordChanged", "Sunk"} <= set(names)
    assert "SessionEvent" not in names


def test_publishers_are_read_off_the_code() -> None:
    """Who publishes an event is where the code makes one."""
    assert publishers_of(SessionStolen) == ["admit.sessions"]
    assert publishers_of(Sunk) == []


# -- features ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_every_feature_has_its_page(name: str) -> None:
    """The page of a feature has all parts in their order, and the index a row that leads to it."""
    text = (PAGES / f"{name}.md").read_text()
    places = [text.find(part) for part in PARTS]
    assert -1 not in places
    assert places == sorted(places)
    assert f"```{{admit-feature}} {name}\n" in text
    assert f"| [{name}]({name}.md) | `{type(catalogue()[name]).__name__}` |" in markdown_of_features()


def test_every_page_is_a_features() -> None:
    """No page is about a feature that is not there."""
    assert {path.stem for path in PAGES.glob("*.md")} == {*catalogue(), "index", "throttling"}


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_every_action_is_described(name: str) -> None:
    """Each action is described with its paths, its input and its output."""
    feature = catalogue()[name]
    text = markdown_of_actions(feature)
    for action in feature.actions():
        assert f"**{action.title}** (`{name}.{action.name}`)" in text
        served = actions_of(feature)[action.name]
        assert served.page or served.json
        assert all(f"`{place}`" in text for places in served for place in places)


def test_an_action_is_described_whole() -> None:
    """Pages, JSON, demands, fields with their limits, the answer, and what it refuses with."""
    text = markdown_of_actions(catalogue()["password"])
    _, _, login = text.partition("(`password.login`)")
    login, _, rest = login.partition("**Confirm")
    assert "- Page: `GET /account/sign-in`, `POST /account/sign-in`\n- JSON: `POST /api/account/sign-in`\n" in login
    assert "`identifier`: text, required" in login
    assert "`password`: text of at most 4,096 characters, required" in login
    assert "`remember`: true or false; `false` when it is left out" in login
    assert "- Answers 200 with `status` (text), `account` (text or null), `needs` (list of text)." in login
    assert re.search(r"401 {ref}`invalid_credentials <error-invalid_credentials>`; 403 ", login)
    assert "- Demands" not in login
    assert "- Demands a session.\n" in rest
    assert text.endswith("`/.well-known/change-password` leads to the page of `change`.")


def test_odd_actions_are_described() -> None:
    """Links of mails, paths with parts, objects in lists, and answers without a body."""
    assert "- Link in a mail: `GET /account/verify/<token>`" in markdown_of_actions(catalogue()["mail_verification"])
    devices = markdown_of_actions(catalogue()["devices"])
    assert "- JSON: `DELETE /api/account/devices/<session_id>`" in devices
    assert "`devices` (list of objects with `id`, `name`, " in devices
    account = markdown_of_actions(catalogue()["account"])
    assert "- Answers 204, without a body." in account
    assert "`created_at` (time (RFC 3339) or null)" in account


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_every_template_is_named(name: str) -> None:
    """Each template of a feature is that of a mail or of a page, and no other is named."""
    folder = SOURCE / "features" / name / "templates"
    text = markdown_of_mails(catalogue()[name]) + markdown_of_pages(catalogue()[name])
    there = {str(path.relative_to(folder)) for path in folder.rglob("*.*")}
    assert set(re.findall(r"`admit/([\w/]+\.\w+)`", text)) == there


class Answer(msgspec.Struct):
    """An answer of every type that there may be."""

    colour: IdentifierKind
    parts: list[dict[str, float] | None]
    count: int


def test_types_are_said_in_words() -> None:
    """Whatever the type of a field is, a reader is told what to send or to expect."""
    assert [words_of(field) for field in msgspec.structs.fields(Answer)] == [
        "`colour`: `email` or `username`, required",
        "`parts`: list of object or null, required",
        "`count`: whole number, required",
    ]


def test_codes_are_those_of_the_description() -> None:
    """What an action refuses with is what a client finds in the description of the API."""
    codes = codes_of("DELETE /api/account/devices/<session_id>")
    assert codes["404"] == ["not_found"]
    assert "200" not in codes


def test_mails_have_their_subjects() -> None:
    """The subject of a mail is the first line of its text, without what a template needs."""
    assert mails_of(catalogue()["password_reset"]) == [("password_reset/mail", "A new password for {site}")]


@pytest.mark.parametrize("page", sorted(PAGES.glob("[!i]*.md")), ids=lambda page: page.stem)
def test_attacks_that_a_page_names_are_tested(page: Path) -> None:
    """Each number of an attack that a page gives, and both ends of a range, is that of a test."""
    tests = "\n".join(path.read_text() for path in (ROOT / "tests" / "attacks").glob("test_*.py"))
    section = page.read_text().partition("## What attackers try\n")[2].partition("\n## ")[0]
    named = [number for group in re.findall(r"\(([^()]+)\)", section) for number in NUMBER.findall(group)]
    assert named
    assert [number for number in named if not re.search(rf"def test_(?:\d{{3}}_)*{number}_", tests)] == []
