"""A container's own view of the host's files: volumes bound in, nothing made on the host.

Owns      the mounts inside a container's mount namespace, mount points that the host lacks.
Leaves    making the namespace (spawn.py), what the volumes contain (kubelet).
How       the container sees the host's tree and writes to it as its user may. Where a volume's
          mount point is missing, only the deepest directory that exists is replaced, privately:
          `/` by a small tmpfs that shows the same entries, any other by an overlay of itself.
Invariant runs after unshare(CLONE_NEWNS) with propagation off: the host never sees any of it.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from busk8s.worker.runtime import linux

if TYPE_CHECKING:
    from typing import Any, Literal

    Json = dict[str, Any]
    # What is made below a path stays in the container ("private"), only what is made directly in
    # it does ("flat"), or nothing does ("host").
    Record = Literal["private", "flat", "host"]

# Holds only mount points and the private writes of overlaid directories.
SCRATCH_OPTIONS = "size=64m,mode=755"


class Refused(Exception):
    """A mount that cannot be made; the text is for the pod's status."""


class PrivateRoot:
    """Binds `mounts` (host_path, container_path, read_only). `scratch` is an empty directory."""

    def __init__(self, scratch: str) -> None:
        self._scratch_path = scratch
        self._scratch = -1
        self._shadows = 0
        self._records: dict[str, Record] = {}

    def bind_all(self, mounts: list[Json]) -> None:
        ordered = sorted(mounts, key=lambda mount: str(mount["container_path"]).count("/"))
        if any(_ancestor(_target(m)) == "/" and not os.path.lexists(_target(m)) for m in ordered):
            self._shadow_root()
        # Opened before anything is put over them: a volume may live below a shadowed directory.
        sources = [(_open_source(str(m["host_path"])), m) for m in ordered]
        for fd, mount in sources:
            self._bind(fd, _target(mount), bool(mount["read_only"]))
            os.close(fd)
        if self._scratch >= 0:
            os.close(self._scratch)

    def _bind(self, source: int, target: str, read_only: bool) -> None:
        directory = stat.S_ISDIR(os.fstat(source).st_mode)
        if not os.path.exists(target):
            self._make_point(target, directory)
        elif os.path.isdir(target) != directory:
            kinds = ("a directory", "a file") if directory else ("a file", "a directory")
            raise Refused(f"cannot mount {kinds[0]} on {target}, which is {kinds[1]} on this host")
        linux.bind(f"/proc/self/fd/{source}", target)
        if read_only:
            linux.mount("", target, "", linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY)
        self._records[target] = "private"  # as runc: a nested mount point is made in the volume

    def _make_point(self, target: str, directory: bool) -> None:
        ancestor = _ancestor(target)
        if not self._may_make_in(ancestor):
            self._shadow(ancestor)
        below = target[len(ancestor.rstrip("/")) + 1 :]
        self._records[f"{ancestor.rstrip('/')}/{below.partition('/')[0]}"] = "private"
        try:
            os.makedirs(target if directory else os.path.dirname(target), exist_ok=True)
            if not directory:
                os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
        except OSError as error:
            raise Refused(f"cannot make the mount point {target}: {error}") from error

    def _may_make_in(self, path: str) -> bool:
        """Whether something made in `path` stays in this container; the nearest record decides."""
        nearest = path
        while nearest not in self._records and nearest != "/":
            nearest = os.path.dirname(nearest)
        record = self._records.get(nearest, "host")
        return record == "private" or (record == "flat" and nearest == path)

    def _open_scratch(self) -> None:
        if self._scratch < 0:
            linux.mount("tmpfs", self._scratch_path, "tmpfs", 0, SCRATCH_OPTIONS)
            self._scratch = os.open(self._scratch_path, os.O_PATH | os.O_CLOEXEC)

    def _shadow(self, path: str) -> None:
        """Put a private copy-on-write view of directory `path` over it."""
        self._open_scratch()
        below = [(_open_source(point), point) for point in _mounts_below(path)]
        lower = os.open(path, os.O_PATH | os.O_CLOEXEC)
        mine = f"/proc/self/fd/{self._scratch}"
        upper, work = f"{mine}/u{self._shadows}", f"{mine}/w{self._shadows}"
        self._shadows += 1
        os.mkdir(upper, 0o755)
        os.mkdir(work)
        options = f"lowerdir=/proc/self/fd/{lower},upperdir={upper},workdir={work}"
        self._records[path] = "private"
        try:
            linux.mount("overlay", path, "overlay", 0, options)
        except OSError:  # no overlayfs here, or not over this file system
            _show_entries(path, upper)
            linux.bind(upper, path)
            self._records[path] = "flat"
        os.close(lower)
        for fd, point in below:
            if os.path.exists(point):
                linux.bind(f"/proc/self/fd/{fd}", point)
            self._records.setdefault(point, "host")
            os.close(fd)

    def _shadow_root(self) -> None:
        """A tmpfs as `/` in which every entry is the host's. Writes below them go to the host."""
        linux.mount("tmpfs", self._scratch_path, "tmpfs", 0, SCRATCH_OPTIONS)
        root = self._scratch_path
        _show_entries("/", root)
        os.chdir(root)
        linux.pivot_root(".", ".")  # stacks the old root on the new one ...
        linux.umount(".")  # ... and takes it off
        os.chdir("/")
        self._records["/"] = "flat"
        # The root is itself private now: further scratch space goes beside its entries.
        self._scratch_path = "/.busk8s"
        os.mkdir(self._scratch_path, 0o700)


def _show_entries(source: str, target: str) -> None:
    for entry in os.scandir(source):
        path = f"{target}/{entry.name}"
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), path)
            continue
        if entry.is_dir():
            os.mkdir(path)
        elif entry.is_file():
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC))
        else:
            continue
        linux.bind(entry.path, path)


def _target(mount: Json) -> str:
    """Where it goes, symlinks of the host followed (/var/run is /run), `..` kept inside."""
    return os.path.realpath(os.path.normpath("/" + str(mount["container_path"])))


def _ancestor(path: str) -> str:
    """The deepest existing directory above `path`."""
    path = os.path.dirname(path)
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _open_source(path: str) -> int:
    try:
        return os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise Refused(f"cannot open the volume's path {path}: {error.strerror}") from error


def _mounts_below(path: str) -> list[str]:
    """The uppermost mount points strictly below `path`: an overlay does not look into mounts."""
    with open("/proc/self/mountinfo") as file:
        points = {line.split(" ")[4]: None for line in file}
    prefix = path.rstrip("/") + "/"
    found: list[str] = []
    for point in sorted(p for p in points if p.startswith(prefix)):
        if not found or not point.startswith(found[-1] + "/"):
            found.append(point)
    return found
