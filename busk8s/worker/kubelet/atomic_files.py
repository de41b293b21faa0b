"""Writes a set of files so that readers see the old set or the new one, never a mixture.

Owns      the layout: `..data` -> a timestamped directory, and a link per first path component.
Source    Kubernetes: AtomicWriter; programs that watch `..data` rely on the rename.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from busk8s.worker.kubelet.payload import Payload

DATA = "..data"
NEXT = "..data_tmp"


def write_files(directory: Path, files: Payload, *, label: str) -> bool:
    """Make `directory` show exactly `files`; `label` names the new version. True if it changed."""
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o777)
    if _current(directory) == {path: (file.data, file.mode) for path, file in files.items()}:
        return False
    version = directory / f"..{label}"
    shutil.rmtree(version, ignore_errors=True)
    version.mkdir()
    version.chmod(0o755)
    for path, file in files.items():
        target = version / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.data)
        target.chmod(file.mode)
    old = _target(directory)
    _link(directory / NEXT, version.name)
    os.replace(directory / NEXT, directory / DATA)
    _link_first_components(directory, files)
    if old is not None and old != version.name:
        shutil.rmtree(directory / old, ignore_errors=True)
    return True


def _target(directory: Path) -> str | None:
    try:
        return os.readlink(directory / DATA)
    except FileNotFoundError:
        return None


def _current(directory: Path) -> dict[str, tuple[bytes, int]] | None:
    version = _target(directory)
    if version is None:
        return None
    root = directory / version
    return {
        str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mode & 0o7777)
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def _link_first_components(directory: Path, files: Payload) -> None:
    wanted = dict.fromkeys(path.split("/")[0] for path in files)
    for name in wanted:
        if not (directory / name).is_symlink():
            _link(directory / name, f"{DATA}/{name}")
    for entry in list(directory.iterdir()):
        if entry.is_symlink() and entry.name not in wanted and not entry.name.startswith(".."):
            entry.unlink()


def _link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)
