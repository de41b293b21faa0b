"""The SQLite file itself: schema, queries, transactions. Plain calls, made in one thread.

Owns      the connection, the schema, what each query means.
Leaves    grouping, comparing and telling (sqlite.SqliteStore).
Invariant rows of `log` are immutable; a key's newest row at or below a revision is its state then.
          Shape: kine's log-structured table.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from busk8s.master.store.base import Change, Record, StoreError
from busk8s.master.store.seal import MARK, SEALED, Seal

SCHEMA_VERSION = 1
COMPACT_ROWS_MAX = 2_000  # Rows one compaction step may delete: bounds how long commits wait.
INSERT_ROWS_MAX = 64  # By one statement; SQLite keeps one prepared for each number of rows.
LOCK_WAIT_S = 2.0  # How long to wait for another process's lock before saying so.
WAL_PAGES_MAX = 2_000  # Checkpoint at about 8 MiB: keeps the file small and reopening quick.

_SCHEMA = """
CREATE TABLE IF NOT EXISTS log (
    revision INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS log_key ON log (key, revision);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""
_STATE_AT = """
SELECT key, value, max(revision) FROM log
WHERE key >= ? AND key < ? AND revision <= ? GROUP BY key ORDER BY key
"""
_SUPERSEDED = """
DELETE FROM log WHERE revision IN (
    SELECT old.revision FROM log AS old WHERE old.revision < ?1 AND EXISTS (
        SELECT 1 FROM log AS new
        WHERE new.key = old.key AND new.revision > old.revision AND new.revision <= ?1)
    LIMIT ?2)
"""
AFTER_ALL_KEYS = "\U0010ffff"
NO_LIMIT = -1


class LogFile:
    """Every method may raise sqlite3.Error; see `explain`."""

    def __init__(self, path: Path, seal: Seal | None = None) -> None:
        self._path = path
        self._seal = seal
        self._db: sqlite3.Connection | None = None
        self.resealed = 0  # Rows that were rewritten when the file was opened.

    def open(self) -> tuple[int, dict[str, int], int]:
        """(newest revision, key -> revision of what keys hold now, oldest known revision).

        Raises StoreError when a newer busk8s wrote the file.
        """
        db = sqlite3.connect(
            self._path, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False
        )
        try:
            _configure(db)
            oldest = self._migrate(db)
            if self._seal is not None:
                self.resealed = _reseal(db, self._seal)
            newest = db.execute("SELECT max(revision) FROM log").fetchone()[0] or 0
            rows = db.execute(_STATE_AT, ("", AFTER_ALL_KEYS, newest))
            index = {key: revision for key, value, revision in rows if value is not None}
        except BaseException:
            db.close()
            raise
        self._db = db
        return max(newest, oldest), index, oldest  # A compacted tombstone keeps its number.

    def _migrate(self, db: sqlite3.Connection) -> int:
        db.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        meta: dict[str, int] = dict(db.execute("SELECT name, value FROM meta"))
        schema = meta.get("schema", SCHEMA_VERSION)
        if schema > SCHEMA_VERSION:
            raise StoreError(
                f"{self._path}: written by a newer busk8s (schema {schema}, "
                f"this one knows {SCHEMA_VERSION})"
            )
        db.execute("INSERT OR IGNORE INTO meta VALUES ('schema', ?)", (SCHEMA_VERSION,))
        db.execute("COMMIT")
        return meta.get("compacted", 0)

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def insert(self, changes: Sequence[Change], at: float, *, durable: bool) -> None:
        """One transaction; on disk when this returns if `durable`, in order in any case."""
        db = self._opened()
        if not durable:
            db.execute("PRAGMA synchronous=NORMAL")
        try:
            if len(changes) <= INSERT_ROWS_MAX:  # One statement is a transaction by itself.
                _insert(db, changes, at, self._seal)
            else:
                db.execute("BEGIN IMMEDIATE")
                for start in range(0, len(changes), INSERT_ROWS_MAX):
                    _insert(db, changes[start : start + INSERT_ROWS_MAX], at, self._seal)
                db.execute("COMMIT")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        finally:
            if not durable:
                db.execute("PRAGMA synchronous=FULL")

    def select(self, low: str, high: str, at: int) -> Sequence[Record]:
        """What keys in [low, high) held at revision `at`, by key."""
        rows = self._opened().execute(_STATE_AT, (low, high, at))
        take = self._take
        return [
            Record(key, take(key, value), revision)
            for key, value, revision in rows
            if value is not None
        ]

    def _take(self, key: str, value: bytes) -> bytes:
        return self._seal.take(key, value) if self._seal is not None else value

    def changes(self, since: int, limit: int) -> Sequence[Change]:
        rows = self._opened().execute(
            "SELECT revision, key, value FROM log WHERE revision > ? ORDER BY revision LIMIT ?",
            (since, limit),
        )
        take = self._take
        return [
            Change(revision, key, None if value is None else take(key, value))
            for revision, key, value in rows
        ]

    def newest_before(self, at: float, *, above: int) -> int:
        """The last revision written before time `at`, of those above `above`; 0 if none."""
        row = self._opened().execute(
            "SELECT max(revision) FROM log WHERE at < ? AND revision > ?", (at, above)
        )
        return row.fetchone()[0] or 0

    def compact_step(self, horizon: int) -> bool:
        """Delete some of what history from `horizon` on does not need; True: call again."""
        db = self._opened()
        try:
            db.execute("BEGIN IMMEDIATE")
            db.execute("INSERT OR REPLACE INTO meta VALUES ('compacted', ?)", (horizon,))
            superseded = db.execute(_SUPERSEDED, (horizon, COMPACT_ROWS_MAX)).rowcount
            if not superseded:  # Only now: a tombstone hides the rows before it.
                db.execute("DELETE FROM log WHERE revision <= ? AND value IS NULL", (horizon,))
            db.execute("COMMIT")
        except sqlite3.Error:
            if db.in_transaction:  # Or every later commit would become part of it.
                db.execute("ROLLBACK")
            raise
        return superseded > 0

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            raise StoreError(f"{self._path}: the store is closed")
        return self._db


def _reseal(db: sqlite3.Connection, seal: Seal) -> int:
    """Seal every row that the first key has not; nothing of what was plain stays in the file."""
    rows = [
        row
        for prefix in SEALED
        for row in db.execute(
            "SELECT revision, key, value FROM log WHERE key >= ? AND key < ? AND value IS NOT NULL",
            (prefix, prefix + AFTER_ALL_KEYS),
        )
    ]
    seal.load(fresh=not any(value.startswith(MARK) for _, _, value in rows))
    late = [row for row in rows if not seal.sealed_by_first(row[2])]
    if not late:
        return 0
    db.execute("PRAGMA secure_delete=ON")
    db.execute("BEGIN IMMEDIATE")
    for revision, key, value in late:
        sealed = seal.put(key, seal.take(key, value))
        db.execute("UPDATE log SET value = ? WHERE revision = ?", (sealed, revision))
    db.execute("COMMIT")
    db.execute("VACUUM")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return len(late)


def _insert(
    db: sqlite3.Connection, changes: Sequence[Change], at: float, seal: Seal | None
) -> None:
    """All rows by one statement.

    Each call into SQLite lets go of the interpreter's lock; to get it back from a busy event loop
    takes longer than writing the row.
    """
    values = ", ".join(["(?, ?, ?, ?)"] * len(changes))
    put = seal.put if seal is not None else _as_it_is
    row = [part for c in changes for part in (c.revision, c.key, put(c.key, c.value), at)]
    db.execute("INSERT INTO log VALUES " + values, row)


def _as_it_is(key: str, value: bytes | None) -> bytes | None:
    return value


def _configure(db: sqlite3.Connection) -> None:
    # EXCLUSIVE: a second master on the same file must be refused, not interleaved.
    db.execute("PRAGMA locking_mode=EXCLUSIVE")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES_MAX}")


def explain(error: sqlite3.Error) -> str:
    """What went wrong, and what the operator can do about it."""
    match getattr(error, "sqlite_errorname", ""):
        case "SQLITE_FULL":
            return "the disk is full; free some room and try again"
        case name if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return "the file is locked by another process; is another master running on it?"
        case "SQLITE_NOTADB" | "SQLITE_CORRUPT":
            return f"not a busk8s store, or damaged ({error})"
        case "SQLITE_CANTOPEN" | "SQLITE_READONLY" | "SQLITE_PERM":
            return f"cannot be opened for writing ({error})"
        case name:
            return f"{error} ({name})" if name else str(error)
