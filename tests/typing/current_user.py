"""Who the user is, for a type checker: the application's own class, once it has been named."""

from typing import Any, assert_type

from flask import Flask

from admit.flask import AnonymousUserMixin, LoginManager, UserMixin, current_user, fresh_login_required, login_required


class User(UserMixin):
    """A user with a name."""

    name: str


# -- the class is named -----------------------------------------------------------------------------------------------

login_manager = LoginManager[User](Flask(__name__))


@login_manager.user_loader
def load_user(user_id: str) -> User | None:
    """Find nobody."""


@login_manager.request_loader
async def load_by_key(_request: object) -> User | None:
    """Find nobody, in a coroutine."""


assert_type(login_manager.current_user, User | AnonymousUserMixin)

if isinstance(login_manager.current_user, User):
    assert_type(login_manager.current_user.name, str)

login_manager.current_user.name  # type: ignore[union-attr] # an anonymous user has no name
login_manager.user_loader(lambda _: "ada")  # type: ignore[arg-type, return-value] # a text is no user
login_manager.user_loader(len)  # type: ignore[arg-type] # neither is a number


# -- nothing is said: as with Flask-Login -----------------------------------------------------------------------------

assert_type(current_user, Any)
untyped = LoginManager()
untyped.user_loader(lambda _: "ada")


# -- a guard leaves a view's type as it is ----------------------------------------------------------------------------


@login_required
def view(page: int) -> str:
    """Show a page."""
    return str(page)


@fresh_login_required
def fresh_view(page: int) -> str:
    """Show a page to somebody who has just logged in."""
    return str(page)


assert_type(view(1), str)
assert_type(fresh_view(1), str)
view("one")  # type: ignore[arg-type] # the page is a number
