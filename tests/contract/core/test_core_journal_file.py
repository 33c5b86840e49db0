"""What only a journal on disk can do: be read by others, be damaged, foreign, too new, or half migrated."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.core import journal_file
from reconciler.core.errors import JournalError
from reconciler.core.journal import Journal
from reconciler.core.journal_sqlite import SqliteJournal

Reopen = Callable[[Journal], Journal]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "operator.db"


def test_it_is_readable_by_its_owner_only_and_written_through_to_the_disk(path):
    opened = SqliteJournal.open(path)
    assert path.stat().st_mode & 0o777 == 0o600
    pragma = opened._connection.execute
    assert pragma("PRAGMA journal_mode").fetchone() == ("wal",)
    assert pragma("PRAGMA synchronous").fetchone() == (2,)
    opened.close()


def test_readers_see_what_the_operator_writes_and_cannot_write(path):
    writer = SqliteJournal.open(path)
    writer.request("a", "t1")
    reader = SqliteJournal.open_read_only(path)
    assert reader is not None
    assert reader.memory().requests == {"a": "t1"}
    writer.request("a", "t2")
    assert reader.memory().requests == {"a": "t2"}
    with pytest.raises(JournalError, match="readonly"):
        reader.request("a", "t3")
    reader.close()
    writer.close()


def test_a_reader_finds_nothing_where_there_is_no_journal_and_creates_none(path):
    assert SqliteJournal.open_read_only(path) is None
    assert not path.exists()


@pytest.mark.parametrize("open_it", [SqliteJournal.open, SqliteJournal.open_read_only])
def test_a_damaged_file_is_named_and_left_as_it_is(path, open_it):
    path.write_bytes(b"this is no database" * 1000)
    before = path.read_bytes()
    with pytest.raises(JournalError, match="damaged or not ours") as failed:
        open_it(path)
    assert str(path) in str(failed.value)
    assert "move it aside" in failed.value.next_step
    assert path.read_bytes() == before


def test_a_file_with_a_damaged_page_is_refused_and_left_as_it_is(path):
    opened = SqliteJournal.open(path)
    for number in range(200):
        opened.append_event(1.0, "plan.created", {"n": number, "filler": "x" * 200})
    opened.close()
    content = bytearray(path.read_bytes())
    content[8192:12288] = b"\xff" * 4096
    path.write_bytes(content)
    with pytest.raises(JournalError, match="damaged"):
        SqliteJournal.open(path)
    assert path.read_bytes() == bytes(content)


def test_somebody_elses_database_is_refused(path):
    foreign = sqlite3.connect(path)
    foreign.execute("CREATE TABLE theirs (x)")
    foreign.commit()
    foreign.close()
    with pytest.raises(JournalError, match="not an operator's journal"):
        SqliteJournal.open(path)


def test_a_newer_format_is_refused_with_the_way_out(path):
    SqliteJournal.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(JournalError, match="newer version") as failed:
        SqliteJournal.open(path)
    assert "upgrade" in failed.value.next_step


def test_a_directory_that_does_not_exist_is_explained(tmp_path):
    with pytest.raises(JournalError, match="No such file"):
        SqliteJournal.open(tmp_path / "missing" / "operator.db")


def test_a_migration_that_fails_half_way_changes_nothing(path, monkeypatch):
    SqliteJournal.open(path).close()
    broken = "CREATE TABLE added (x); CREATE TABLE added (x)"
    monkeypatch.setattr(journal_file, "MIGRATIONS", (*journal_file.MIGRATIONS, broken))
    with pytest.raises(JournalError, match="already exists"):
        SqliteJournal.open(path)
    monkeypatch.undo()
    reopened = SqliteJournal.open(path)
    names = {row[0] for row in reopened._connection.execute("SELECT name FROM sqlite_master")}
    assert "added" not in names
    reopened.close()
