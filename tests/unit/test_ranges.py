"""Two clusters on one host give out different addresses."""

from __future__ import annotations

from ipaddress import IPv4Network as Network
from pathlib import Path
from random import Random

import pytest

from busk8s.config import ConfigError, DataDir, MasterSettings
from busk8s.ids import RandomIds
from busk8s.master.apiserver.ranges import choose, ranged


def test_what_the_host_has_routes_to_is_not_chosen() -> None:
    first = choose("abcdef", [], loopback=False)
    second = choose("abcdef", first, loopback=False)
    assert len({*first, *second}) == 4


def test_without_root_services_are_on_loopback() -> None:
    services, pods = choose("abcdef", [], loopback=True)
    assert services.subnet_of(Network("127.0.0.0/8"))
    assert pods.subnet_of(Network("10.0.0.0/8"))


def test_a_full_host_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no free /16"):
        choose("abcdef", [Network("10.0.0.0/8")], loopback=False)


def test_a_cluster_keeps_its_ranges_and_takes_given_ones(tmp_path: Path) -> None:
    data = DataDir(tmp_path).open(RandomIds(Random(1)))
    settings = MasterSettings(tmp_path)
    first = ranged(settings, data)
    assert ranged(settings, data) == first
    assert first.service_cidr != first.pod_cidr
    given = ranged(MasterSettings(tmp_path, service_cidr="10.7.0.0/16"), data)
    assert (given.service_cidr, given.pod_cidr) == ("10.7.0.0/16", first.pod_cidr)
    assert ranged(settings, data).service_cidr == "10.7.0.0/16"
    with pytest.raises(ConfigError, match="range of pods"):
        ranged(MasterSettings(tmp_path, pod_cidr="10.7.0.1/16"), data)
