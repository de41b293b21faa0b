"""The volumes of the pods on this node: made before containers start, kept up to date, removed.

Owns      a pod's directory under `pods/<uid>`, and the tmpfs mounts in it.
Leaves    what files say (payload.py), binding them into containers (runtime).
Invariant preparing twice changes nothing; removing leaves neither files nor mounts, and never
          follows a path that a pod could have made.

Differs from Kubernetes: without root, an emptyDir with medium Memory is an ordinary directory;
`sizeLimit` bounds only medium Memory.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
from collections.abc import Callable, Container, Mapping
from pathlib import Path

from busk8s.api import quantity
from busk8s.api.object import Json
from busk8s.worker.kubelet.atomic_files import write_files
from busk8s.worker.kubelet.claims import SHARED, resolve
from busk8s.worker.kubelet.downward import Facts
from busk8s.worker.kubelet.env import Lookup, expand
from busk8s.worker.kubelet.payload import FindToken, VolumeError, payload
from busk8s.worker.kubelet.pods import ContainerSpec, Pod
from busk8s.worker.runtime.base import Mount

MNT_DETACH = 2


API_ACCESS = "kube-api-access-"  # How the volumes are called that admission adds by itself.


def no_token(pod: Pod, source: Json) -> str:
    raise VolumeError("failed to fetch token: this node asks for none")


class Volumes:
    def __init__(
        self,
        root: str,
        lookup: Lookup,
        new_label: Callable[[], str],
        find_token: FindToken = no_token,
    ) -> None:
        self._on_disk = bool(root)
        self._root = Path(root)
        self._lookup = lookup
        self._new_label = new_label
        self._find_token = find_token

    def prepare(self, pod: Pod, facts: Facts) -> None:
        """Make or refresh all volumes of `pod`; raises VolumeError."""
        if not self._on_disk:
            return
        for volume in pod.spec.get("volumes") or ():
            try:
                self._prepare(pod, resolve(pod, volume, self._lookup), facts)
            except (VolumeError, OSError) as error:
                name = volume["name"]
                text = f'MountVolume.SetUp failed for volume "{name}" : {error}'
                raise VolumeError(text) from error

    def mounts(self, pod: Pod, spec: ContainerSpec, env: Mapping[str, str]) -> list[Mount]:
        if not self._on_disk:
            return []
        volumes = {volume["name"]: volume for volume in pod.spec.get("volumes") or ()}
        made = []
        for wanted in spec.raw.get("volumeMounts") or ():
            volume = volumes.get(wanted["name"])
            if volume is None:
                raise VolumeError(f'volume "{wanted["name"]}" is not defined')
            volume = resolve(pod, volume, self._lookup)
            path = self._path(pod, volume)
            if sub := wanted.get("subPath") or expand(wanted.get("subPathExpr") or "", env):
                path = _sub_path(path, sub)
            read_only = bool(wanted.get("readOnly") or volume.get("readOnly"))
            read_only = read_only or not _writable(volume)
            optional = wanted["name"].startswith(API_ACCESS)
            made.append(Mount(str(path), wanted["mountPath"], read_only, optional))
        return made

    def hosts_file(self, pod: Pod, ip: str, hostname: str) -> Mount | None:
        """An /etc/hosts with the pod's own aliases; without aliases the runtime's will do."""
        aliases = pod.spec.get("hostAliases")
        if not aliases or not self._on_disk:
            return None
        lines = ["127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback"]
        if ip:
            lines.append(f"{ip}\t{hostname}")
        lines += [f"{alias['ip']}\t" + "\t".join(alias.get("hostnames") or ()) for alias in aliases]
        path = self._pod(pod.uid) / "etc-hosts"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
        return Mount(str(path), "/etc/hosts")

    def remove(self, pod: Pod) -> None:
        """All that was made for the pod, tmpfs mounts first."""
        directory = self._pod(pod.uid)
        if not self._on_disk or not directory.exists():
            return
        for volume in pod.spec.get("volumes") or ():
            if _in_memory(volume):
                _umount(self._path(pod, volume))
        shutil.rmtree(directory, ignore_errors=True)

    def remove_orphans(self, kept: Container[str]) -> None:
        """Directories of pods that are no more (left by a kubelet that was killed)."""
        pods = self._root / "pods"
        for directory in pods.iterdir() if pods.exists() else ():
            if directory.name not in kept:
                for mount in directory.glob("volumes/kubernetes.io~empty-dir/*"):
                    if mount.is_mount():
                        _umount(mount)
                shutil.rmtree(directory, ignore_errors=True)

    def _prepare(self, pod: Pod, volume: Json, facts: Facts) -> None:
        path = self._path(pod, volume)
        if "hostPath" in volume:
            _check_host_path(path, volume["hostPath"].get("type") or "")
            return
        files = payload(pod, volume, self._lookup, facts, self._find_token)
        if files is not None:
            write_files(path, files, label=self._new_label())
            return
        if "emptyDir" not in volume:
            kind = next((key for key in volume if key != "name"), "none")
            raise VolumeError(f"volume type {kind} is not supported")
        if not path.exists():
            path.mkdir(parents=True)
            path.chmod(0o777)
        if _in_memory(volume) and os.geteuid() == 0 and not path.is_mount():
            _mount_tmpfs(path, (volume["emptyDir"] or {}).get("sizeLimit"))

    def _path(self, pod: Pod, volume: Json) -> Path:
        if "hostPath" in volume:
            return Path(volume["hostPath"]["path"])
        kind = next((key for key in volume if key != "name"), "none")
        directory = "".join(f"-{c.lower()}" if c.isupper() else c for c in kind)
        return self._pod(pod.uid) / "volumes" / f"kubernetes.io~{directory}" / str(volume["name"])

    def _pod(self, uid: str) -> Path:
        return self._root / "pods" / uid


def _in_memory(volume: Json) -> bool:
    return (volume.get("emptyDir") or {}).get("medium") == "Memory"


def _writable(volume: Json) -> bool:
    return "emptyDir" in volume or "hostPath" in volume


def _sub_path(root: Path, sub: str) -> Path:
    """Inside `root` whatever symlinks the pod has made there."""
    if sub.startswith("/") or ".." in sub.split("/"):
        raise VolumeError(f"subPath {sub!r} must be relative and must not contain '..'")
    path = root / sub
    if not path.exists():
        path.mkdir(parents=True, mode=0o755)
    real = path.resolve()
    if not real.is_relative_to(root.resolve()):
        raise VolumeError(f"subPath {sub!r} leads out of its volume")
    return real


_HOST_PATH_TESTS: dict[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "is not a directory"),
    "File": (stat.S_ISREG, "is not a file"),
    "Socket": (stat.S_ISSOCK, "is not a socket"),
    "CharDevice": (stat.S_ISCHR, "is not a character device"),
    "BlockDevice": (stat.S_ISBLK, "is not a block device"),
}


def _check_host_path(path: Path, kind: str) -> None:
    if kind in ("", "DirectoryOrCreate") and not path.exists():
        path.mkdir(parents=True, mode=0o755)
    if kind == SHARED:
        if not path.exists():
            path.mkdir(parents=True)
            path.chmod(0o777)
        kind = "Directory"
    if kind == "FileOrCreate" and not path.exists():
        path.touch(0o644)
    name = kind.removesuffix("OrCreate")
    if name:
        if name not in _HOST_PATH_TESTS:
            raise VolumeError(f"hostPath type {kind} is not supported")
        test, complaint = _HOST_PATH_TESTS[name]
        if not path.exists() or not test(path.stat().st_mode):
            raise VolumeError(f"hostPath type check failed: {path} {complaint}")


def _mount_tmpfs(path: Path, size: str | None) -> None:
    options = "mode=0777" + (f",size={quantity.value(size)}" if size else "")
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.mount(b"tmpfs", os.fsencode(path), b"tmpfs", 0, options.encode())
    if result != 0:
        raise VolumeError(f"cannot mount tmpfs: {os.strerror(ctypes.get_errno())}")


def _umount(path: Path) -> None:
    ctypes.CDLL(None, use_errno=True).umount2(os.fsencode(path), MNT_DETACH)
