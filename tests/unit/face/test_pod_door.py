"""Pods reach an API that listens on loopback; other machines do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from busk8s.config import MasterSettings
from busk8s.master.apiserver import pod_door
from busk8s.master.apiserver.pod_door import PodDoor


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_door, "own_address", lambda: "192.0.2.2")


def door(bind: str = "127.0.0.1") -> PodDoor:
    return PodDoor(MasterSettings(Path("/x"), bind=bind, pod_cidr="10.1.0.0/16"))


@pytest.mark.parametrize(
    ("ours", "theirs", "admitted"),
    [
        pytest.param("127.0.0.1", "127.0.0.1", True, id="over loopback anyone"),
        pytest.param("192.0.2.2", "10.1.3.4", True, id="a pod"),
        pytest.param("192.0.2.2", "192.0.2.2", True, id="this host"),
        pytest.param("192.0.2.2", "192.0.2.3", False, id="another machine"),
        pytest.param("192.0.2.2", "10.2.0.1", False, id="another cluster's pod"),
        pytest.param("192.0.2.2", "", False, id="nobody knows who"),
    ],
)
def test_who_comes_in_by_the_second_door(ours: str, theirs: str, admitted: bool) -> None:
    assert door().admits(ours, theirs) is admitted


def test_an_api_that_listens_for_all_needs_no_second_door() -> None:
    assert door("0.0.0.0").address == ""
    assert door("192.0.2.2").open(1) == []
    assert door("0.0.0.0").admits("192.0.2.2", "198.51.100.1")
