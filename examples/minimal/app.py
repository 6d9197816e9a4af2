"""The smallest application with pages: a login page, "remember me", a private page and one for fresh logins."""

from __future__ import annotations

import os
import secrets
import sys
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from flask import Flask, abort, redirect, render_template, request, url_for

from admit.flask import (
    LoginManager,
    UserMixin,
    current_user,
    fresh_login_required,
    login_required,
    login_user,
    logout_user,
    safe_next,
)

app = Flask(__name__)
# Whoever is logged in stays so until the program ends; keep a key in a file to change that.
app.secret_key = os.environ.get("SECRET_KEY") or secrets.token_hex(32)
app.config.update(SESSION_COOKIE_SAMESITE="Lax", REMEMBER_COOKIE_SAMESITE="Lax", MAX_CONTENT_LENGTH=16 * 1024)

login_manager = LoginManager(app)
login_manager.login_view = "login"
login_manager.refresh_view = "login"
login_manager.needs_refresh_message = "Please enter your password once more to see this page."

hasher = PasswordHasher()


class User(UserMixin):
    """Somebody with a name and a password."""

    def __init__(self, name: str, password: str) -> None:
        self.id = name
        self.password = hasher.hash(password)


USERS = {"ada": User("ada", "correct horse")}
# Checked for names that nobody has, so that they take as long as wrong passwords.
NOBODY = User("", secrets.token_hex(16))


@login_manager.user_loader
def load_user(user_id: str) -> User | None:
    """Find the user of a session."""
    return USERS.get(user_id)


@app.before_request
def refuse_other_sites() -> None:
    """Let only our own pages send forms; a link from elsewhere may open pages, but not log out."""
    site = request.headers.get("Sec-Fetch-Site")
    if request.method == "POST" and site not in {None, "none", "same-origin"}:
        abort(403, "This form was sent by another site.")
    origin = request.headers.get("Origin")
    if request.method == "POST" and site is None and origin not in {None, request.host_url.rstrip("/")}:
        abort(403, "This form was sent by another site.")


@app.route("/login", methods=["GET", "POST"])
def login() -> Any:
    """Show the form, or log in and go on to where the person wanted to be."""
    wanted = safe_next(request.args.get("next"))
    if request.method == "GET":
        return render_template("login.html", name=current_user.get_id() or "")
    name, password = request.form.get("name", ""), request.form.get("password", "")
    user = USERS.get(name, NOBODY)
    try:
        hasher.verify(user.password, password)
    except VerifyMismatchError:
        return render_template("login.html", name=name, error="Invalid name or password"), 401
    login_user(user, remember="remember" in request.form)
    return redirect(wanted or url_for("index"))


@app.post("/logout")
def logout() -> Any:
    """Log out."""
    logout_user()
    return redirect(url_for("index"))


@app.get("/")
def index() -> str:
    """Show a page for everybody."""
    return render_template("index.html")


@app.get("/private")
@login_required
def private() -> str:
    """Show a page for those who are logged in."""
    return render_template("private.html", title="Private")


@app.get("/payout")
@fresh_login_required
def payout() -> str:
    """Show a page for those who have just entered their password."""
    return render_template("private.html", title="Payout")


@app.after_request
def keep_private(response: Any) -> Any:
    """Let nobody frame the pages, and no cache keep them."""
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src data:; frame-ancestors 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response


def serve() -> None:
    """Serve the application on this machine only."""
    from waitress import serve as serve_forever

    port = int(os.environ.get("PORT", "5000"))
    try:
        serve_forever(app, host="127.0.0.1", port=port, threads=8)
    except OSError as error:
        sys.exit(f"Port {port} can't be used: {error.strerror}. Set PORT to a free one.")


if __name__ == "__main__":
    serve()
