"""The languages of pages, errors and mails: the reader's, by our catalogs and by the application's own."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from babel import Locale
from babel.messages.catalog import Catalog

from admit.features import everything
from admit.features.account import AccountPages
from admit.features.password import Password
from admit.features.registration import Registration
from tests.flask.page_site import ADA, PASSWORD, WRONG, Site, sign_in
from tools.catalogs import compiled

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Return a site with every feature."""
    return Site(tmp_path, everything())


def translate(folder: Path, language: str, **sentences: str) -> None:
    """Write a catalog of the application."""
    catalog = Catalog(Locale.parse(language), creation_date=datetime.now(UTC))
    for sentence, said in sentences.items():
        catalog.add(sentence.replace("_", " "), said)
    path = folder / "translations" / language / "LC_MESSAGES" / "admit.mo"
    path.parent.mkdir(parents=True)
    path.write_bytes(compiled(catalog))


@pytest.mark.parametrize(
    ("wanted", "language", "heading"),
    [
        ("de", "de", "Anmelden"),
        ("de-AT,en;q=0.5", "de", "Anmelden"),
        ("en-US,de;q=0.5", "en", "Sign in"),
        ("fr", "en", "Sign in"),
        ("de;q=0, en;q=0.1", "en", "Sign in"),
        ("de-Latn-CH-1996", "de", "Anmelden"),
        ("*", "en", "Sign in"),
        ("x" * 300, "en", "Sign in"),
    ],
)
def test_the_language_is_the_readers(site: Site, wanted: str, language: str, heading: str) -> None:
    """A page is in the language that the browser prefers, says which it is, and is cached for that one only."""
    page = site.client().get("/account/sign-in", headers={"Accept-Language": wanted})
    assert f'<html lang="{language}">' in page.text
    assert f"<h1>{heading}</h1>" in page.text
    assert "Accept-Language" in page.vary


def test_errors_and_mails_are_in_it_too(site: Site) -> None:
    """What is wrong, JSON and mails are in the language of who asked."""
    client = site.client()
    client.environ_base["HTTP_ACCEPT_LANGUAGE"] = "de"
    page = client.post("/account/sign-up", data={"email": "x", "password": "short"}).text
    assert "Bitte geben Sie eine E-Mail-Adresse ein" in page
    assert "<title>Fehler: Registrieren" in page
    answer = client.post("/api/account/sign-up", json={"email": ADA, "password": "short"}).json
    assert answer is not None
    assert answer["fields"]["password"].startswith("Bitte mindestens 15 Zeichen.")
    client.post("/account/sign-up", data={"email": ADA, "password": PASSWORD})
    assert site.mails[-1].subject == "Bestätigen Sie Ihre Adresse für Harbour"
    assert "Er gilt einmal, für 24 Stunden." in site.mails[-1].text
    assert '<html lang="de">' in str(site.mails[-1].html)


def test_an_application_adds_a_language(tmp_path: Path) -> None:
    """A catalog beside the application's templates is a language more, and what it does not say is in English."""
    translate(tmp_path, "fr", Sign_in="Se connecter")
    client = Site(tmp_path, everything()).client()
    page = client.get("/account/sign-in", headers={"Accept-Language": "fr, de;q=0.5"}).text
    assert "<h1>Se connecter</h1>" in page
    assert "Password</label>" in page


def test_an_application_says_it_in_its_own_words(tmp_path: Path) -> None:
    """What a catalog of the application says comes before what ours says, in our languages too."""
    translate(tmp_path, "de", Sign_in="Anlegen")
    translate(tmp_path, "en", Sign_in="Come aboard")
    client = Site(tmp_path, everything()).client()
    german = client.get("/account/sign-in", headers={"Accept-Language": "de"}).text
    assert "<h1>Anlegen</h1>" in german
    assert "Passwort</label>" in german
    assert "<h1>Come aboard</h1>" in client.get("/account/sign-in").text


# -- mails ------------------------------------------------------------------------------------------------------------


def test_every_mail_is_text_and_markup(site: Site) -> None:
    """Each mail has one line for its subject, and the same link in both of its forms; nothing in it is a request's."""
    member = site.member()
    site.client().post("/account/sign-up", data={"email": ADA, "password": PASSWORD})
    site.client().post("/account/password-reset", data={"identifier": ADA})
    member.post("/account/password", data={"old_password": PASSWORD, "password": WRONG})
    assert [mail.subject for mail in site.mails] == [
        "Confirm your address for Harbour",
        "You have an account at Harbour already",
        "A new password for Harbour",
        "Your password at Harbour has changed",
    ]
    for mail in site.mails:
        link = re.search(r"http://127\.0\.0\.1:5000\S+", mail.text)
        assert link is not None
        assert f'href="{link[0]}"' in str(mail.html)
        assert "<" not in mail.text


def test_a_welcome(tmp_path: Path) -> None:
    """Where no address has to be confirmed, the first mail is a welcome."""
    site = Site(tmp_path, [Password(), Registration()], ADMIT_SITE_NAME="Rum & <Co>")
    site.client().post("/account/sign-up", data={"email": ADA, "password": PASSWORD})
    assert site.mails[-1].subject == "Welcome to Rum & <Co>"
    assert "Welcome to Rum &amp; &lt;Co&gt;" in str(site.mails[-1].html)


def test_the_mail_of_a_change_where_nothing_is_reset(tmp_path: Path) -> None:
    """Where a password can't be reset, the mail that it was changed leads to the account."""
    site = Site(tmp_path, [AccountPages(), Password(), Registration()])
    site.client().post("/account/sign-up", data={"email": ADA, "password": PASSWORD})
    member = site.client()
    sign_in(member)
    member.post("/account/password", data={"old_password": PASSWORD, "password": WRONG})
    assert site.mails[-1].text.rstrip().endswith("http://127.0.0.1:5000/account/")
