"""Volumes: what files they hold, how they change under readers, what is refused."""

from __future__ import annotations

import base64
import itertools
import os
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pod_cases import make_pod

from busk8s.api.object import Object
from busk8s.api.scheme import RESOURCES
from busk8s.worker.kubelet.atomic_files import write_files
from busk8s.worker.kubelet.downward import Facts
from busk8s.worker.kubelet.payload import File, VolumeError
from busk8s.worker.kubelet.pods import Pod
from busk8s.worker.kubelet.volumes import Volumes


class Shelf:
    """ConfigMaps and Secrets by name."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Object] = {}

    def put(self, kind: str, name: str, **data: Any) -> None:
        body = orjson.dumps({"metadata": {"name": name, "namespace": "default"}, **data})
        obj = Object(RESOURCES[kind], "default", name, revision=1, body=body)
        self.objects[kind, name] = obj

    def bind(self, *, claim: Any = None, volume: Any = None, **spec: Any) -> None:
        """The claim `data`, bound to the volume `v` with these fields."""
        bound = {"spec": {"volumeName": "v"}, "status": {"phase": "Bound"}}
        self.put("persistentvolumeclaims", "data", **{**bound, **(claim or {})})
        found = {"claimRef": {"namespace": "default", "name": "data", "uid": ""}, **spec}
        self.put("persistentvolumes", "v", **{"spec": found, **(volume or {})})

    def __call__(self, kind: str, namespace: str, name: str) -> Object | None:
        return self.objects.get((kind, name))


def made(root: Path, shelf: Shelf) -> Volumes:
    count = itertools.count()
    return Volumes(str(root), shelf, lambda: f"v{next(count)}", token)


def token(pod: Pod, source: Any) -> str:
    return f"for {source['audience']}"


def pod_with(volume: dict[str, Any], **mount: Any) -> Pod:
    mounts = [{"name": "v", "mountPath": "/mnt", **mount}]
    container = {"name": "c", "image": "i", "volumeMounts": mounts}
    return make_pod({"containers": [container], "volumes": [{"name": "v", **volume}]})


def shown(volumes: Volumes, pod: Pod) -> Path:
    volumes.prepare(pod, Facts())
    (mount,) = volumes.mounts(pod, pod.containers[0], {})
    return Path(mount.host_path)


def test_a_config_map_becomes_files(tmp_path: Path) -> None:
    shelf = Shelf()
    binary = {"b": base64.b64encode(b"\xff\x00").decode()}
    shelf.put("configmaps", "conf", data={"a": "1"}, binaryData=binary)
    path = shown(made(tmp_path, shelf), pod_with({"configMap": {"name": "conf"}}))
    assert (path / "a").read_text() == "1"
    assert (path / "b").read_bytes() == b"\xff\x00"
    assert (path / "a").stat().st_mode & 0o777 == 0o644
    assert os.readlink(path / "a") == "..data/a"


def test_items_choose_paths_and_modes(tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.put("secrets", "s", data={"k": base64.b64encode(b"pw").decode(), "x": ""})
    items = [{"key": "k", "path": "deep/er/pw", "mode": 0o400}]
    volume = {"secret": {"secretName": "s", "items": items, "defaultMode": 0o600}}
    path = shown(made(tmp_path, shelf), pod_with(volume))
    assert (path / "deep/er/pw").read_bytes() == b"pw"
    assert (path / "deep/er/pw").stat().st_mode & 0o777 == 0o400
    assert not (path / "x").exists()


def test_a_change_is_seen_all_at_once_and_removed_keys_go(tmp_path: Path) -> None:
    shelf = Shelf()
    volumes, pod = made(tmp_path, shelf), pod_with({"configMap": {"name": "conf"}})
    shelf.put("configmaps", "conf", data={"a": "1", "b": "1"})
    path = shown(volumes, pod)
    before = os.readlink(path / "..data")
    volumes.prepare(pod, Facts())
    assert os.readlink(path / "..data") == before
    shelf.put("configmaps", "conf", data={"a": "2"})
    volumes.prepare(pod, Facts())
    assert (path / "a").read_text() == "2"
    assert not os.path.lexists(path / "b")
    assert not (path / before).exists()


def test_projected_volumes_join_their_sources(tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.put("configmaps", "ca", data={"ca.crt": "CERT"})
    namespace = {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}
    sources = [
        {"serviceAccountToken": {"path": "token", "audience": "vault"}},
        {"configMap": {"name": "ca"}},
        {"downwardAPI": {"items": [namespace]}},
    ]
    path = shown(made(tmp_path, shelf), pod_with({"projected": {"sources": sources}}))
    assert sorted(p.name for p in path.iterdir() if not p.name.startswith("..")) == [
        "ca.crt",
        "namespace",
        "token",
    ]
    assert (path / "token").read_text() == "for vault"
    assert (path / "namespace").read_text() == "default"


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        ({"configMap": {"name": "none"}}, 'configmap "none" not found'),
        ({"secret": {"secretName": "none"}}, 'secret "none" not found'),
        (
            {"configMap": {"name": "conf", "items": [{"key": "x", "path": "x"}]}},
            "references non-existent config key: x",
        ),
        (
            {"configMap": {"name": "conf", "items": [{"key": "a", "path": "../x"}]}},
            "must not contain '..'",
        ),
        ({"hostPath": {"path": "/nonexistent", "type": "Directory"}}, "is not a directory"),
        ({"nfs": {"server": "x", "path": "/"}}, "volume type nfs is not supported"),
    ],
    ids=lambda case: str(case)[:40],
)
def test_what_cannot_be_had_is_named(tmp_path: Path, volume: dict[str, Any], words: str) -> None:
    shelf = Shelf()
    shelf.put("configmaps", "conf", data={"a": "1"})
    with pytest.raises(VolumeError) as raised:
        made(tmp_path, shelf).prepare(pod_with(volume), Facts())
    assert words in str(raised.value)
    assert 'MountVolume.SetUp failed for volume "v" : ' in str(raised.value)


def test_optional_sources_may_be_missing(tmp_path: Path) -> None:
    volume = {"configMap": {"name": "none", "optional": True}}
    path = shown(made(tmp_path, Shelf()), pod_with(volume))
    assert path.is_dir()


def test_an_empty_dir_keeps_its_content_until_the_pod_is_removed(tmp_path: Path) -> None:
    volumes, pod = made(tmp_path, Shelf()), pod_with({"emptyDir": {}})
    path = shown(volumes, pod)
    (path / "f").write_text("x")
    assert shown(volumes, pod) == path
    assert (path / "f").read_text() == "x"
    assert path.stat().st_mode & 0o777 == 0o777
    volumes.remove(pod)
    assert not (tmp_path / "pods" / pod.uid).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_memory_backed_empty_dir_is_a_bounded_tmpfs_and_goes_with_the_pod(tmp_path: Path) -> None:
    volumes = made(tmp_path, Shelf())
    pod = pod_with({"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}})
    path = shown(volumes, pod)
    try:
        assert path.is_mount()
        with pytest.raises(OSError, match="No space left"):
            (path / "big").write_bytes(b"x" * (2 << 20))
    finally:
        volumes.remove(pod)
    assert not path.exists()


def test_sub_paths_stay_inside_their_volume(tmp_path: Path) -> None:
    volumes = made(tmp_path, Shelf())
    pod = pod_with({"emptyDir": {}}, subPathExpr="$(NAME)/data")
    volumes.prepare(pod, Facts())
    (mount,) = volumes.mounts(pod, pod.containers[0], {"NAME": "web"})
    assert mount.host_path.endswith("/v/web/data")
    root = Path(mount.host_path).parent.parent
    (root / "out").symlink_to("/etc")
    for bad in ("out", "../x", "/etc"):
        other = pod_with({"emptyDir": {}}, subPath=bad)
        with pytest.raises(VolumeError):
            volumes.mounts(other, other.containers[0], {})


def test_leftover_directories_of_other_pods_are_removed(tmp_path: Path) -> None:
    volumes, pod = made(tmp_path, Shelf()), pod_with({"emptyDir": {}})
    path = shown(volumes, pod)
    volumes.remove_orphans({pod.uid: None})
    assert path.exists()
    volumes.remove_orphans({})
    assert not path.exists()


names = st.sampled_from(["a", "b", "c/d", "c/e"])
sets = st.dictionaries(names, st.binary(max_size=8), max_size=4)


@given(st.lists(sets, min_size=1, max_size=5))
def test_after_any_writes_a_directory_shows_exactly_the_last_set(
    tmp_path_factory: pytest.TempPathFactory, versions: list[dict[str, bytes]]
) -> None:
    root = tmp_path_factory.mktemp("atomic")
    for number, files in enumerate(versions):
        write_files(root, {p: File(d, 0o644) for p, d in files.items()}, label=f"v{number}")
        found = {}
        for entry in root.iterdir():
            if entry.name.startswith(".."):
                continue
            inside = [entry] if entry.is_file() else [p for p in entry.rglob("*") if p.is_file()]
            found |= {str(p.relative_to(root)): p.read_bytes() for p in inside}
        assert found == files


CLAIMED = {"persistentVolumeClaim": {"claimName": "data"}}


@pytest.mark.parametrize("source", ["hostPath", "local"])
def test_a_claim_stands_for_its_volume(source: str, tmp_path: Path) -> None:
    shelf, there = Shelf(), tmp_path / "there"
    there.mkdir()
    shelf.bind(**{source: {"path": str(there)}})
    volumes, pod = made(tmp_path, shelf), pod_with(CLAIMED)
    assert shown(volumes, pod) == there
    (mount,) = volumes.mounts(pod, pod.containers[0], {})
    assert not mount.read_only
    held = pod_with({"persistentVolumeClaim": {"claimName": "data", "readOnly": True}})
    (mount,) = volumes.mounts(held, held.containers[0], {})
    assert mount.read_only
    volumes.remove(pod)
    assert there.exists()


UNBOUND = {"spec": {}, "status": {"phase": "Pending"}}
FOREIGN = {"spec": {"claimRef": {"uid": "another"}, "hostPath": {"path": "/tmp"}}}


@pytest.mark.parametrize(
    ("bound", "said"),
    [
        (None, 'persistentvolumeclaim "data" not found'),
        ({"claim": UNBOUND}, "error processing PVC default/data: PVC is not bound"),
        ({"volume": FOREIGN}, "its volume v is bound to another"),
        ({"local": {"path": "/nowhere/at/all"}}, "hostPath type check failed: /nowhere/at/all"),
        ({"hostPath": {"path": "/tmp"}, "volumeMode": "Block"}, "volumeMode Block is not supp"),
        ({"nfs": {"path": "/", "server": "s"}}, "volume type nfs is not supported"),
    ],
    ids=["no claim", "not bound", "of another", "no directory", "a device", "another kind"],
)
def test_a_claim_that_cannot_be_mounted_says_why(bound: Any, said: str, tmp_path: Path) -> None:
    shelf = Shelf()
    if bound is not None:
        shelf.bind(**bound)
    with pytest.raises(VolumeError, match=r"MountVolume\.SetUp failed for volume") as error:
        made(tmp_path, shelf).prepare(pod_with(CLAIMED), Facts())
    assert said in str(error.value)


def test_a_volume_on_our_own_disk_is_made_for_any_user(tmp_path: Path) -> None:
    shelf, there = Shelf(), tmp_path / "volumes/pvc-1"
    marks = {"pv.kubernetes.io/provisioned-by": "busk8s.io/local"}
    named = {"metadata": {"name": "v", "annotations": marks}}
    claimed = {"namespace": "default", "name": "data", "uid": ""}
    spec = {"claimRef": claimed, "local": {"path": str(there)}}
    shelf.bind(volume={**named, "spec": spec})
    volumes, pod = made(tmp_path, shelf), pod_with(CLAIMED)
    assert shown(volumes, pod) == there
    assert there.stat().st_mode & 0o777 == 0o777
    (there / "kept").touch()
    volumes.remove(pod)
    assert shown(volumes, pod) == there
    assert (there / "kept").exists()
