"""Make the secrets that compose.yaml names: passwords of PostgreSQL and Redis, and the settings that hold them.

    python3 deploy/make_secrets.py --public-url https://accounts.example --mail-url smtp://user:password@mail.example

Standard library only. What is there already is left as it is: another password would lock the application out.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from pathlib import Path

__all__ = ["make"]

FOLDER = Path(__file__).resolve().parent / "secrets"


def main() -> None:
    """Make what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--public-url", required=True, help="the address of the site, as in https://accounts.example")
    parser.add_argument("--mail-url", required=True, help="what sends mails, as in smtp://user:password@mail.example")
    parser.add_argument("--sender", help='whom mails come from; "Accounts <accounts@…>", at the host without')
    parser.add_argument("--proxies", type=int, default=1, help="how many proxies are in front (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where they are kept (default: %(default)s)")
    options = parser.parse_args()
    if options.folder.exists():
        sys.exit(f"{options.folder} is there already. Move it away, if other passwords are what you want.")
    host = options.public_url.partition("://")[2].partition("/")[0].partition(":")[0]
    sender = options.sender or f"Accounts <accounts@{host}>"
    make(options.folder, options.public_url, options.mail_url, sender, options.proxies)
    print(f"Made {options.folder}. Keep a copy where backups are kept.")


def make(folder: Path, public_url: str, mail_url: str, sender: str, proxies: int) -> None:
    """Write the files.

    Args:
        folder: Where they are kept; it must not be there.
        public_url: The address of the site.
        mail_url: What sends mails.
        sender: Whom they come from.
        proxies: How many proxies are in front.
    """
    # Only its owner may enter. The files are mounted each by itself, and read by users of other numbers inside.
    folder.mkdir(mode=0o700, parents=True)
    postgres, redis = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    files = {
        "postgres_password": postgres,
        "redis.conf": _redis(redis),
        "admit.toml": _settings(
            db=f"postgresql+psycopg://admit:{postgres}@postgres/admit",
            sessions=f"redis://:{redis}@redis/0",
            public_url=public_url,
            proxies=proxies,
            secret_key=secrets.token_hex(),
            mail={"url": mail_url, "sender": sender},
        ),
    }
    for name, text in files.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o644)


def _redis(password: str) -> str:
    return f"""requirepass {password}
dir /data
# What was answered is on the disk: otherwise sessions that were ended could come back after a crash.
appendonly yes
appendfsync always
save ""
# One that throws keys away when it is full would lose the reasons of ended sessions.
maxmemory-policy noeviction
"""


def _settings(*, mail: dict[str, str], **settings: object) -> str:
    # Texts of JSON are texts of TOML.
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    lines += ["", "[mail]", *(f"{key} = {json.dumps(value)}" for key, value in mail.items())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
