"""The site as one process of a server on this machine; PORT and DATABASE say where."""

from __future__ import annotations

import os

from waitress import serve

from admit.features.password import Password
from tests.attacks.site import all_features, make_site

# Enough room for all tries of a race to be looked at, if the throttle let them.
FEATURES = [*(one for one in all_features() if one.name != "password"), Password(logins_at_once=64)]

if __name__ == "__main__":
    app = make_site(os.environ["DATABASE"], FEATURES).app
    serve(app, host="127.0.0.1", port=int(os.environ["PORT"]), threads=32, ident=None)
