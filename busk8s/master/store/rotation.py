"""Rotating the encryption key of a store that nobody has open.

Owns      the order of its steps: whatever happens in between, every Secret can be opened.
Leaves    sealing (seal), rewriting rows (sqlite_file).
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from busk8s.master.store.base import StoreError
from busk8s.master.store.seal import KeyFile, Seal, new_key
from busk8s.master.store.sqlite_file import LogFile, explain


def rotate(database: Path, keys: Path) -> int:
    """Seal all Secrets with a new key, and forget the old ones; how many rows were rewritten.

    Raises StoreError: in use, a key is missing, the disk is full.
    """
    file = KeyFile(keys)
    known = file.load()
    if known is None:
        raise StoreError(f"encryption keys {keys}: there is no such file")
    fresh = new_key()
    file.save([fresh, *known])
    log = LogFile(database, Seal(file))
    try:
        log.open()  # It seals anew whatever the first key has not sealed.
        count = log.resealed
    except sqlite3.Error as error:
        raise StoreError(f"{database}: {explain(error)}") from error
    finally:
        log.close()
    file.save([fresh])
    return count
