"""Secrets in the file: nothing of them can be read there, whatever has happened to it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import stat
from pathlib import Path

import pytest

from busk8s.clock import SystemClock
from busk8s.master.store.base import StoreError, Write
from busk8s.master.store.rotation import rotate
from busk8s.master.store.seal import KeyFile, Seal, new_key
from busk8s.master.store.sqlite import SqliteStore

pytestmark = pytest.mark.realtime
MARKER = b"in-the-clear-"
SECRET, OTHER = "secrets/default/s", "configmaps/default/c"


def files(path: Path) -> bytes:
    """All that lies on disk of the store."""
    return b"".join(each.read_bytes() for each in path.parent.glob(path.name + "*"))


def keys(path: Path) -> Path:
    return path.parent / "keys.json"


async def opened(path: Path, *, sealed: bool = True) -> SqliteStore:
    store = SqliteStore(path, SystemClock(), Seal(KeyFile(keys(path))) if sealed else None)
    try:
        await store.open()
    except StoreError:
        await asyncio.to_thread(lambda: None)
        store._thread.shutdown(wait=True)  # Nobody else would: it never opened.
        raise
    return store


async def write(store: SqliteStore, key: str, text: bytes, expect: int = 0) -> int:
    body = b'{"kind":"Secret","metadata":{},"x":"%b"}' % text
    outcome = await store.commit((Write(key, body, expect=expect, durable=True),))
    assert isinstance(outcome, int)
    return outcome


async def read(store: SqliteStore, key: str) -> bytes:
    record = await store.get(key)
    assert record is not None
    return record.value


async def test_a_secret_is_sealed_in_the_file_and_in_its_log(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await opened(path)
    await write(store, SECRET, MARKER + b"one")
    await write(store, OTHER, b"open")
    assert MARKER not in files(path)
    assert b"open" in files(path)
    assert MARKER + b"one" in await read(store, SECRET)
    await store.close()
    assert MARKER not in files(path)
    again = await opened(path)
    assert MARKER + b"one" in await read(again, SECRET)
    base, changes = await again.history()
    assert any(MARKER in (each.value or b"") for each in (*base, *changes))
    await again.close()


async def test_the_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    await (await opened(path)).close()
    assert stat.S_IMODE(keys(path).stat().st_mode) == 0o600


async def test_what_was_plain_is_sealed_at_the_next_start_without_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    plain = await opened(path, sealed=False)
    revision = await write(plain, SECRET, MARKER + b"one")
    await write(plain, SECRET, MARKER + b"two", expect=revision)
    await plain.close()
    assert MARKER in files(path)
    store = await opened(path)
    assert MARKER not in files(path)
    assert MARKER + b"two" in await read(store, SECRET)
    assert len(await store.changes(0)) == 2
    await store.close()
    assert MARKER not in files(path)


async def test_rotation_seals_anew_and_forgets_the_old_key(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await opened(path)
    await write(store, SECRET, MARKER)
    await store.close()
    before = json.loads(keys(path).read_bytes())["keys"]
    assert rotate(path, keys(path)) == 1
    after = json.loads(keys(path).read_bytes())["keys"]
    assert len(before) == len(after) == 1
    assert before != after
    assert bytes.fromhex(before[0]["id"]) not in files(path)
    again = await opened(path)
    assert MARKER in await read(again, SECRET)
    await again.close()


async def test_a_rotation_that_was_cut_off_goes_on_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await opened(path)
    await write(store, SECRET, MARKER)
    await store.close()
    file = KeyFile(keys(path))
    known = file.load()
    assert known is not None
    file.save([new_key(), *known])
    again = await opened(path)
    assert MARKER in await read(again, SECRET)
    await again.close()
    assert known[0].id not in files(path)


async def test_a_lost_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await opened(path)
    await write(store, SECRET, MARKER)
    await store.close()
    kept = keys(path).read_bytes()
    keys(path).unlink()
    with pytest.raises(StoreError, match="there is no such file, but the store holds sealed"):
        await opened(path)
    KeyFile(keys(path)).save([new_key()])
    with pytest.raises(StoreError, match=r"which is not in .*put it back"):
        await opened(path)
    keys(path).write_bytes(kept)
    again = await opened(path)
    assert MARKER in await read(again, SECRET)
    await again.close()


@pytest.mark.parametrize("raw", [b"", b"{}", b'{"keys":[]}', b'{"keys":[{"id":"00","secret":""}]}'])
async def test_a_damaged_key_file_is_named(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "store.db"
    keys(path).write_bytes(raw)
    with pytest.raises(StoreError, match=r"encryption keys .*damaged"):
        await opened(path)


async def test_a_row_that_was_moved_or_changed_does_not_open(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await opened(path)
    await write(store, SECRET, MARKER)
    await store.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE log SET key = 'secrets/default/stolen'")
    db.close()
    again = await opened(path)
    with pytest.raises(StoreError, match="the key does not open it"):
        await again.get("secrets/default/stolen")
    await again.close()
