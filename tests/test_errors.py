"""The tree of errors."""

from __future__ import annotations

import pytest

from admit import errors

SHOWN = [
    errors.InvalidCredentials("no account"),
    errors.InvalidChallenge("used before"),
    errors.SessionRequired("idle"),
    errors.ReauthenticationRequired("an hour ago"),
    errors.StepUpRequired("only a password"),
    errors.CrossSiteRequest("Origin: null"),
    errors.IdentifierTaken("username"),
    errors.MalformedBody({"name": "is there twice"}),
    errors.BodyTooLarge("a megabyte"),
    errors.UnsupportedBody("text/plain"),
    errors.NotFound("somebody else's"),
    errors.RoleRequired("no admin"),
    errors.VerificationRequired("signed up just now"),
    errors.Unavailable("the store is down"),
    errors.Overloaded(1),
    errors.InvalidInput({"name": "is missing"}),
    errors.Throttled(30),
]


@pytest.mark.parametrize("error", SHOWN, ids=lambda error: error.code)
def test_what_may_be_shown(error: errors.AdmitError) -> None:
    """An error shows a code, a status and a message, and keeps its reason to itself."""
    assert error.problem_code == error.code
    assert error.code.replace("_", "").islower()
    assert 400 <= error.status <= 503
    assert str(error) == error.message
    assert not error.reason or error.reason not in str(error)


def test_codes_are_all_different() -> None:
    """Two errors that mean different things have different codes."""
    assert len({error.code for error in SHOWN}) == len(SHOWN)


def test_a_narrower_code() -> None:
    """An error may say more exactly what happened, without changing the others of its class."""
    assert errors.SessionRequired(code="session_idle").problem_code == "session_idle"
    assert errors.SessionRequired().problem_code == "session_required"


def test_what_the_errors_carry() -> None:
    """Refused fields and the time to wait are there for whoever makes the answer."""
    assert errors.InvalidInput({"name": "is missing"}).fields == {"name": "is missing"}
    assert errors.IdentifierTaken("username").fields == {"username": errors.IdentifierTaken.message}
    assert errors.IdentifierTaken().fields == {}
    assert errors.MalformedBody().fields == {}
    assert errors.Throttled(30).retry_after == errors.Overloaded(30).retry_after == 30


def test_the_developers_errors_are_not_shown() -> None:
    """Errors of the developer and of the machine are no kin of those that clients see."""
    assert not issubclass(errors.ConfigurationError, errors.AdmitError)
    assert not issubclass(errors.StoreError, errors.AdmitError)


def test_a_sentence_in_another_language() -> None:
    """A sentence is plain English to whoever reads it as a text, and can be said again in another language."""
    german = {"At least {count} characters.": "Mindestens {count} Zeichen.", "Yes.": "Ja."}
    sentence = errors.Text("At least {count} characters.", count=15)
    assert sentence == "At least 15 characters."
    assert sentence.translated(lambda text: german[text]) == "Mindestens 15 Zeichen."
    assert errors.Text("Yes.").translated(lambda text: german[text]) == "Ja."


def test_braces_of_others_are_left_alone() -> None:
    """A sentence without values may hold braces: they are nobody's places."""
    assert errors.Text("{anything}") == "{anything}"
