"""Sign up, sign in, who am I, sign out: the resources, and a page that uses them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from config import api, app, db, login_manager
from flask import render_template, request
from flask_restful import Resource
from forms import credentials, new_credentials, refuse_other_sites
from models import NOBODY, User, password_matches
from sqlalchemy.exc import IntegrityError

from admit.flask import current_session, current_user, login_required, login_user, logout_user

if TYPE_CHECKING:
    from flask import Response

WRONG = {"error": "Invalid username or password"}


class Signup(Resource):
    """Make an account, and log in."""

    def post(self) -> Any:
        """Answer 201 with the user."""
        refuse_other_sites()
        sent = new_credentials()
        user = User(sent["username"], sent["password"])
        db.session.add(user)
        try:
            db.session.commit()
        except IntegrityError:
            db.session.rollback()
            return {"error": "username is taken.", "field": "username"}, 409
        login_user(user, remember=sent["remember"])
        return user.to_dict(), 201


class Login(Resource):
    """Log in."""

    def post(self) -> Any:
        """Answer 201 with the user, or 401; one password is hashed either way."""
        refuse_other_sites()
        sent = credentials()
        user = User.named(sent["username"])
        if user is None:
            password_matches(NOBODY, sent["password"])
            return WRONG, 401
        if not user.authenticate(sent["password"]):
            return WRONG, 401
        login_user(user, remember=sent["remember"])
        return user.to_dict(), 201


class Logout(Resource):
    """Log out. GET is there because every tutorial has it; a page of yours should send POST."""

    def get(self) -> Any:
        """Answer 200; another site can't log anybody out by a link or an image."""
        refuse_other_sites()
        logout_user()
        return {"message": "logout successful"}

    post = delete = get


class Sessions(Resource):
    """Where the user is logged in."""

    @login_required
    def get(self) -> Any:
        """Answer 200 with the user's sessions, the latest first."""
        return [
            {
                "id": session.id,
                "device": session.device,
                "address": session.address,
                "created": session.created_at.isoformat(),
                "seen": session.seen_at.isoformat(),
                "remembered": session.remembered,
                "current": session.id == current_session.id,
            }
            for session in login_manager.sessions.of(current_user)
        ]

    @login_required
    def delete(self, session_id: str) -> Any:
        """End one of them; it is out at its next request. Those of others are not found."""
        refuse_other_sites()
        for session in login_manager.sessions.of(current_user):
            if session.id == session_id:
                session.revoke(by="owner")
                return {"message": "session ended"}
        return {"error": "There is no such session.", "field": "id"}, 404


class Me(Resource):
    """Who is asking: what a page asks when it is loaded again."""

    def get(self) -> Any:
        """Answer 200 with the user, or 401."""
        if not current_user.is_authenticated:
            return {"error": "Not logged in"}, 401
        return current_user.to_dict()


api.add_resource(Signup, "/signup")
api.add_resource(Login, "/login")
api.add_resource(Logout, "/logout")
api.add_resource(Me, "/me")
api.add_resource(Sessions, "/sessions", "/sessions/<session_id>")


@login_manager.unauthorized_handler
def not_logged_in() -> Any:
    """Answer those who have to log in first."""
    return {"error": "Not logged in"}, 401


@app.get("/")
def page() -> str:
    """Show the page that uses the API."""
    return render_template("index.html")


@app.after_request
def protect(response: Response) -> Response:
    """Tell browsers to be strict, and caches to keep nothing that is personal."""
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response


with app.app_context():
    db.create_all()


def serve() -> None:
    """Serve the application on this machine only."""
    from waitress import serve as serve_forever

    port = int(os.environ.get("PORT", "5000"))
    try:
        serve_forever(app, host="127.0.0.1", port=port, threads=8)
    except OSError as error:
        sys.exit(f"Port {port} can't be used: {error.strerror}. Set PORT to a free one, as in: PORT=5001 python app.py")


if __name__ == "__main__":
    serve()
