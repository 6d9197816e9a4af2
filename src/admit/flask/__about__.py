"""What ``flask_login.__about__`` offers.

The version is the release of Flask-Login whose contract :mod:`admit.flask` keeps, because that is what
those who read it want to know. Admit's own version is :data:`admit.__version__`.
"""

from __future__ import annotations

__all__: list[str] = []

__title__ = "Admit"
__description__ = "Login, sessions and accounts for Flask."
__url__ = "https://github.com/admit-flask/admit"
__version_info__: tuple[str, str, str] = ("0", "6", "3")
__version__ = ".".join(__version_info__)
__author__ = "The Admit authors"
__author_email__ = ""
__maintainer__ = "The Admit authors"
__license__ = "MIT"
__copyright__ = "(c) 2026 The Admit authors"
