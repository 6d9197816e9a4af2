"""``admit purge``: what time has made worthless, and the accounts whose owners have left for good."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from flask.cli import with_appcontext

from admit.errors import ConfigurationError
from admit.flask.printing import as_json, print_row, store_trouble_said
from admit.flask.state import state_now
from admit.flask.stored_login import stored_keeper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["in_batches", "purge", "purged_rows"]

#: The option of every command that removes rows.
in_batches: Callable[..., Callable[[Any], Any]] = partial(
    click.option,
    "--batch",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="How many rows to remove at once.",
)


@click.command("purge")
@in_batches()
@as_json
@with_appcontext
def purge(batch: int, *, json: bool) -> None:
    """Remove what is left of sessions, what features keep no longer, and erase accounts that were closed.

    An account is erased once its owner can't come back any more (ADMIT_CLOSING_GRACE). Rows go in batches, so that the
    store is never locked for long; what was interrupted is done by the next one. Run it daily.
    """
    with store_trouble_said():
        removed = _told("Purging", purged_rows(batch))
        erased = _told("Erasing", _erased(batch))
    accounts = "1 account" if erased == 1 else f"{erased} accounts"
    print_row({"removed": removed, "erased": erased}, f"Removed {removed} rows, and erased {accounts}.", json=json)


def purged_rows(batch: int) -> Iterator[int]:
    """Remove sessions whose time is over and what features keep no longer, and give how many after each batch."""
    keeper = stored_keeper(state_now().keeper)
    accounts = keeper.accounts
    purges: list[Callable[[], int]] = [partial(keeper.gate.purge, batch=batch)]
    if accounts is not None:
        features, stores = accounts.features.values(), accounts.stores
        purges += [partial(feature.purge, stores, now=accounts.now(), batch=batch) for feature in features]
    for one in purges:
        count = batch
        while count >= batch:
            count = one()
            yield count


def _erased(batch: int) -> Iterator[int]:
    accounts = state_now().keeper.accounts
    if accounts is None:
        return
    from admit.erasure import erase_closed

    try:
        yield from erase_closed(
            accounts.keeper.gate, accounts.stores, accounts.features.values(), now=accounts.now(), batch=batch
        )
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error


def _told(label: str, counts: Iterable[int]) -> int:
    """Return the sum of counts, with a bar for whoever waits for it."""
    total = 0
    # On standard error, so that what follows can be read by a program.
    with click.progressbar(counts, label=label, show_pos=True, file=sys.stderr) as bar:
        for count in bar:
            total += count
    return total
