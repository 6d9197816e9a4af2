"""An application with Django: make its database, and sign in to it as it does itself."""

import json
import sys

import django
from django.conf import settings

HASHERS = ("Scrypt", "Argon2", "BCryptSHA256", "PBKDF2")


def main() -> None:
    """Do what the command line asks for with the users on standard input."""
    settings.configure(
        SECRET_KEY="x" * 40,
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}},
        PASSWORD_HASHERS=[f"django.contrib.auth.hashers.{one}PasswordHasher" for one in HASHERS],
        USE_TZ=True,
    )
    django.setup()
    from django.contrib.auth import authenticate
    from django.contrib.auth.hashers import identify_hasher, make_password
    from django.contrib.auth.models import User
    from django.core.management import call_command

    users = json.load(sys.stdin)
    if sys.argv[2] == "make":
        call_command("migrate", verbosity=0)
        for number, (name, password) in enumerate(users):
            kind = ("argon2", "bcrypt_sha256", "scrypt", "pbkdf2_sha256")[number % len(HASHERS)]
            user = User(username=name, email="", password=make_password(password, hasher=kind))
            assert identify_hasher(user.password).algorithm == kind
            user.save()
        User(username="locked out", password=make_password(None)).save()
    else:
        sys.stdout.write(
            json.dumps([authenticate(username=name, password=password) is not None for name, password in users])
        )


if __name__ == "__main__":
    main()
