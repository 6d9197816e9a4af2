"""Drive a login by the client that was made of the description; `drive.py ADDRESS`.

A type checker reads this together with the client.
"""

import sys
from http import HTTPStatus

from admit_client import AuthenticatedClient, Client
from admit_client.api.account import account_show, account_sign_out
from admit_client.api.devices import devices_show
from admit_client.api.mail_verification import mail_verification_confirm
from admit_client.api.password import password_login
from admit_client.api.registration import registration_sign_up
from admit_client.models import (
    AccountView,
    Confirmed,
    DeviceList,
    LoginForm,
    PasswordLoginAdmitCarrier,
    Problem,
    Registered,
    Signed,
    SignUpForm,
    TokenForm,
)

EMAIL = "python@example.org"
PASSWORD = "a phrase that nobody else has 9"


def main(address: str) -> None:
    """Sign up, confirm the address, sign in, look around and sign out."""
    guest = Client(base_url=address)
    sign_up(guest)
    member = AuthenticatedClient(base_url=address, token=sign_in(guest))
    account = account_show.sync(client=member)
    assert isinstance(account, AccountView)
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


def sign_in(guest: Client) -> str:
    """Return the token of a session, after a try with a wrong password."""
    refused = password_login.sync(client=guest, body=LoginForm(identifier=EMAIL, password="wrong"))
    assert isinstance(refused, Problem)
    assert refused.code == "invalid_credentials"
    answer = password_login.sync_detailed(
        client=guest,
        body=LoginForm(identifier=EMAIL, password=PASSWORD),
        admit_carrier=PasswordLoginAdmitCarrier.BEARER,
    )
    assert isinstance(answer.parsed, Signed)
    assert answer.parsed.status == "signed_in"
    return str(answer.headers["Admit-Token"])


if __name__ == "__main__":
    main(sys.argv[1])
