"""The blog as ``flask --app`` finds it: at the step and over the file that the environment names."""

from __future__ import annotations

import os

from tests.applications.tutorial_blog.blog import TestConfig, create_app


class Config(TestConfig):
    """In production, with Flask-Migrate's folder beside the file."""

    TESTING = False
    SQLALCHEMY_DATABASE_URI = f"sqlite:///{os.environ['BLOG_FILE']}"


app = create_app(int(os.environ["BLOG_STEP"]), Config)
