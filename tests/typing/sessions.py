"""Sessions as an application's author writes with them."""

from datetime import datetime, timedelta
from typing import assert_type

from flask import Flask

from admit.events import Events, SessionStolen
from admit.flask import LoginManager, UserMixin, UserSession, current_session, fresh_login_required
from admit.settings import SessionSettings


class User(UserMixin):
    id: int


app = Flask(__name__)
events = Events()
events.subscribe(SessionStolen, lambda event: assert_type(event.subject, str))
login_manager = LoginManager[User](
    app, store="memory:", settings=SessionSettings(idle=timedelta(hours=1)), events=events
)

assert_type(login_manager.sessions.of(User()), list[UserSession])
assert_type(login_manager.sessions.of(7)[0].revoke(by="owner"), bool)
assert_type(login_manager.sessions.revoke_all("7", keep=current_session), int)
assert_type(login_manager.sessions.issue(User()), str)

assert_type(current_session.device, str)
assert_type(current_session.created_at, datetime)
assert_type(current_session.user_agent, str | None)

login_manager.sessions.revoke(7)  # type: ignore[arg-type]


@fresh_login_required(within=timedelta(minutes=5))
def payout(amount: int) -> str:
    return str(amount)


assert_type(payout(1), str)
