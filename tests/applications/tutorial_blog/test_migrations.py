"""Flask-Migrate beside Admit: it writes migrations for the application's tables, and leaves Admit's alone."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations.ops import DropTableOp, UpgradeOps
from sqlalchemy import Column, Integer, MetaData, Table, create_engine

from admit.stores.migrations import autogenerate
from admit.stores.sql import SqlStore, keep_from_migrations
from tests.serving import ROOT

if TYPE_CHECKING:
    from pathlib import Path

#: What a person types, in one process. Flask-Migrate sets up logging, which no other test should notice.
COMMANDS = """
import sys
from tests.applications.tutorial_blog.migrated import app
for command in ("init", "migrate", "upgrade", "migrate"):
    ran = app.test_cli_runner().invoke(args=["db", command, "-d", sys.argv[1]])
    assert ran.exit_code == 0, ran.output
assert "No changes" in ran.output
"""


def run(step: int, folder: Path, *command: str) -> None:
    """Run a command of Python's beside the file of a blog, outside of debug mode."""
    environment = os.environ | {"BLOG_STEP": str(step), "BLOG_FILE": str(folder / "blog.db")}
    ran = subprocess.run([sys.executable, *command], env=environment, cwd=ROOT, capture_output=True, text=True)  # noqa: S603, PLW1510
    assert ran.returncode == 0, ran.stderr + ran.stdout


def written(folder: Path) -> str:
    """Return the migration that was written."""
    [found] = (folder / "migrations/versions").glob("*.py")
    return found.read_text()


def tables(folder: Path) -> set[str]:
    """Return the names of the tables in the file."""
    with closing(sqlite3.connect(folder / "blog.db")) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_u20_flask_db_migrate_leaves_our_tables_alone(tmp_path: Path) -> None:
    """The real command writes a migration for the blog's tables, and has nothing to say of ours."""
    for command in ("init", "migrate"):
        run(2, tmp_path, "-m", "flask", "--app", "tests.applications.tutorial_blog.migrated", "db", command, "-d", str(tmp_path / "migrations"))  # fmt: skip  # noqa: E501
    assert "create_table('user'" in written(tmp_path)
    assert "admit" not in written(tmp_path)
    assert "admit_sessions" in tables(tmp_path)


def test_u20_the_whole_way_of_flask_migrate_with_accounts(tmp_path: Path) -> None:
    """Init, migrate, upgrade and migrate beside accounts: afterwards there is nothing left to migrate."""
    run(3, tmp_path, "-c", COMMANDS, str(tmp_path / "migrations"))
    assert "admit" not in written(tmp_path)
    assert {"user", "post", "admit_accounts", "admit_sessions"} <= tables(tmp_path)


@pytest.mark.parametrize("prefix", ["admit_", "login_"])
def test_u20_alembic_alone_leaves_them_alone(tmp_path: Path, prefix: str) -> None:
    """Whatever they begin with; a table of such a name that the application describes is the application's."""
    engine = create_engine(f"sqlite:///{tmp_path}/app.db")
    SqlStore(engine, prefix=prefix).close()
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE former (id INTEGER)")
        context = MigrationContext.configure(connection)
        found: Any = compare_metadata(context, MetaData())
        assert [(one[0], one[1].name) for one in found] == [("remove_table", "former")]
        own = MetaData()
        Table(f"{prefix}sessions", own, Column("number", Integer))
        Table("former", own, Column("id", Integer))
        assert any("add_column" in str(one) for one in compare_metadata(context, own))
    engine.dispose()


def test_u20_what_was_compared_before_is_taken_out() -> None:
    """An older Alembic asks after it has compared: then the removal of our tables is taken out, and nothing else."""
    keep_from_migrations()
    context: Any = SimpleNamespace(sorted_tables=[], _name_filters=[])
    operations: list[Any] = [DropTableOp("admit_sessions"), DropTableOp("former"), object()]
    upgrade = UpgradeOps(operations)
    autogenerate._leave_out(context, upgrade, None)
    assert upgrade.ops == operations[1:]
