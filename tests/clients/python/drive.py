"""Drive a login by the client that was made of the description; `drive.py ADDRESS`.

A type checker reads this together with the client.
"""

import sys
from http import HTTPStatus

from admit_client import AuthenticatedClient, Client
from admit_client.api.account import account_show, account_sign_out
from admit_client.api.devices import devices_show
from admit_client.api.mail_verification import mail_verification_confirm
from admit_client.api.password import password_change, password_login
from admit_client.api.password_reset import password_reset_ask, password_reset_choose
from admit_client.api.registration import registration_sign_up
from admit_client.models import (
    AccountView,
    AskForm,
    Changed,
    ChooseForm,
    Chosen,
    Confirmed,
    DeviceList,
    LoginForm,
    NewPasswordForm,
    Problem,
    Registered,
    Signed,
    SignUpForm,
    TokenForm,
)

EMAIL = "python@example.org"
PASSWORD = "a phrase that nobody else has 9"
CHANGED = "another phrase that nobody else has 9"
CHOSEN = "the third phrase that nobody else has 9"


def main(address: str) -> None:
    """Do all that a person does with an account, from signing up to being throttled."""
    guest = Client(base_url=address)
    sign_up(guest)
    look_around(AuthenticatedClient(base_url=address, token=sign_in(guest, PASSWORD)))
    here, elsewhere = (AuthenticatedClient(base_url=address, token=sign_in(guest, PASSWORD)) for _ in range(2))
    change(here, elsewhere)
    reset(guest)
    sign_in(guest, CHOSEN)
    be_throttled(guest)


def look_around(member: AuthenticatedClient) -> None:
    """See the account and its devices, and sign out."""
    account = account_show.sync(client=member)
    assert isinstance(account, AccountView)
    assert account.created_at is not None
    assert (account.email, account.is_verified, account.created_at.tzinfo is None) == (EMAIL, True, False)
    devices = devices_show.sync(client=member)
    assert isinstance(devices, DeviceList)
    assert [one.is_this for one in devices.devices] == [True]
    assert account_sign_out.sync_detailed(client=member).status_code == HTTPStatus.NO_CONTENT
    refused = account_show.sync(client=member)
    assert isinstance(refused, Problem)
    assert (refused.status, refused.code) == (401, "session_logout")


def sign_up(guest: Client) -> None:
    """Sign up, and confirm the address by the token of the mail."""
    registered = registration_sign_up.sync(client=guest, body=SignUpForm(email=EMAIL, password=PASSWORD))
    assert isinstance(registered, Registered)
    assert registered.next_ == "check_mail"
    token = guest.get_httpx_client().get("/token").text
    confirmed = mail_verification_confirm.sync(client=guest, body=TokenForm(token=token))
    assert isinstance(confirmed, Confirmed)
    assert confirmed.next_ == "sign_in"


def change(here: AuthenticatedClient, elsewhere: AuthenticatedClient) -> None:
    """Change the password: who is signed in elsewhere is out, and who did it is not."""
    devices = devices_show.sync(client=here)
    assert isinstance(devices, DeviceList)
    assert len(devices.devices) == 2
    done = password_change.sync(client=here, body=NewPasswordForm(old_password=PASSWORD, password=CHANGED))
    assert isinstance(done, Changed)
    out = account_show.sync(client=elsewhere)
    assert isinstance(out, Problem)
    assert out.status == HTTPStatus.UNAUTHORIZED


def reset(guest: Client) -> None:
    """Choose a new password by the token of a mail, which works once."""
    password_reset_ask.sync_detailed(client=guest, body=AskForm(identifier=EMAIL))
    form = ChooseForm(token=guest.get_httpx_client().get("/token").text, password=CHOSEN)
    assert isinstance(password_reset_choose.sync(client=guest, body=form), Chosen)
    again = password_reset_choose.sync(client=guest, body=form)
    assert isinstance(again, Problem)
    assert again.code == "invalid_challenge"


def be_throttled(guest: Client) -> None:
    """Guess until no guess is looked at any more; then the right password isn't either."""
    for _ in range(20):
        guess = password_login.sync(client=guest, body=LoginForm(identifier=EMAIL, password="wrong"))
        assert isinstance(guess, Problem)
        if guess.code == "throttled":
            break
    refused = password_login.sync_detailed(client=guest, body=LoginForm(identifier=EMAIL, password=CHOSEN))
    assert refused.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert int(refused.headers["Retry-After"]) > 0


def sign_in(guest: Client, password: str) -> str:
    """Return the token of a session, after a try with a wrong password."""
    refused = password_login.sync(client=guest, body=LoginForm(identifier=EMAIL, password="wrong"))
    assert isinstance(refused, Problem)
    assert refused.code == "invalid_credentials"
    answer = password_login.sync_detailed(
        client=guest,
        body=LoginForm(identifier=EMAIL, password=password),
        admit_carrier="bearer",
    )
    assert isinstance(answer.parsed, Signed)
    assert answer.parsed.status == "signed_in"
    return str(answer.headers["Admit-Token"])


if __name__ == "__main__":
    main(sys.argv[1])
