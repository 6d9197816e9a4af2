"""Keeping the migrations of applications from dropping Admit's tables.

Alembic compares the database with the application's models, and would write a migration that drops whatever it does not
find there. It asks everybody who has registered with it, and so no application has to change its ``env.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alembic.autogenerate import comparators
from alembic.operations.ops import DropTableOp, ModifyTableOps

from admit.stores.sql_tables import is_kept

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import UpgradeOps

__all__ = ["leave_tables_alone"]

_registered: list[object] = []


def leave_tables_alone() -> None:
    """Have Alembic leave out the tables of this package, once in a process."""
    if not _registered:
        comparators.dispatch_for("schema")(_leave_out)
        _registered.append(_leave_out)


def _leave_out(context: AutogenContext, upgrade_ops: UpgradeOps, _schemas: object) -> None:
    """Leave out our tables, unless the application describes a table of that name itself."""
    described = {table.name for table in context.sorted_tables}

    def is_left_out(name: str | None) -> bool:
        return is_kept(name) and name not in described

    def includes(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or not is_left_out(name)

    # Since Alembic 1.18 this is called before the tables are compared, and then they are not even read.
    filters: list[Any] = vars(context)["_name_filters"]  # where include_name of env.py is
    filters.append(includes)
    # Before, it is called when they have been.
    upgrade_ops.ops[:] = [one for one in upgrade_ops.ops if not is_left_out(_table_of(one))]


def _table_of(operation: Any) -> str | None:
    return operation.table_name if isinstance(operation, DropTableOp | ModifyTableOps) else None
