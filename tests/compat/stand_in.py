"""A pytest plugin: in the run that loads it, `flask_login` means Admit."""

from admit.flask.alias import install

install()
