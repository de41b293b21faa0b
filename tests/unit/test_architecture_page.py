"""The examples of docs/architecture.md do what the page says."""

from __future__ import annotations

import random
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from busk8s.api.object import Json
from busk8s.api.scheme import CONFIGMAPS
from busk8s.client.recorder import Recorder
from busk8s.client.reflector import SharedCaches
from busk8s.ids import RandomIds
from busk8s.master.controllers.loop import Loop
from busk8s.master.controllers.perform import Performer
from busk8s.master.scheduler.cycle import Chosen, Cycle, Unschedulable
from busk8s.master.scheduler.profile import default_profile
from busk8s.master.scheduler.volumes import VolumeFacts
from busk8s.tasks import Nursery
from tests.unit.controllers.cluster import Cluster, until
from tests.unit.scheduler.test_cycle import node, pod, snapshot

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text()


def example(heading: str, language: str) -> str:
    """The first fenced block of `language` below `heading`."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found, f"no {language} block under {heading}"
    return found.group(1)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plug-in as pip would leave it: a module, and metadata with its entry points."""
    (tmp_path / "busk8s_quiet.py").write_text(example("A scheduler plug-in", "python"))
    toml = example("A scheduler plug-in", "toml").replace('entry-points."', "").replace('"]', "]")
    points = toml.replace("[project.", "[").replace('"', "")
    metadata = tmp_path / "busk8s_quiet-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: busk8s-quiet\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


@pytest.mark.usefixtures("installed")
def test_an_installed_plug_in_takes_part_in_decisions() -> None:
    client: Any = None  # nothing is bound here
    cycle = Cycle(default_profile(client, VolumeFacts()), random.Random(1))
    quiet, busy, idle = node("quiet", labels={"quiet": "true"}), node("busy"), node("idle")
    placed = pod("placed")
    placed.node = "busy"
    assert cycle.decide(pod("p"), snapshot(quiet, busy, idle, pods=[placed])) == Chosen("idle")

    refused = cycle.decide(pod("q"), snapshot(quiet, node("off", unschedulable=True)))
    assert isinstance(refused, Unschedulable)
    assert refused.message.startswith(
        "0/2 nodes are available: 1 node(s) wanted quiet, 1 node(s) were unschedulable"
    )


async def test_the_controller_of_the_page_makes_its_object_and_makes_it_again() -> None:
    names: Json = {}
    exec(compile(example("A controller", "python"), "architecture.md", "exec"), names)
    cluster = Cluster()
    await cluster.open()
    caches, ids = SharedCaches(cluster.client), RandomIds(random.Random(1))
    recorder = Recorder(cluster.client, "test", clock=cluster.clock, ids=ids)
    controller = names["Motd"](caches)
    performer = Performer(cluster.client, caches, recorder, ids)
    loop = Loop([controller], caches, performer, cluster.clock)
    async with Nursery() as nursery:
        nursery.spawn(caches.run())
        nursery.spawn(loop.run())
        await until(lambda: cluster.find(CONFIGMAPS, "motd"))
        first = cluster.one(CONFIGMAPS, "motd").uid
        await cluster.client.delete(CONFIGMAPS, "motd", namespace="default")
        await until(lambda: (found := cluster.find(CONFIGMAPS, "motd")) and found.uid != first)
    assert loop.counts["motd"].errors == 0


def test_every_module_and_limit_that_the_page_names_exists() -> None:
    modules = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "busk8s").rglob("*.py"))]
    code = "\n".join((ROOT / name).read_text() for name in modules)
    named = set(re.findall(r"`([a-z0-9_/]+\.py)`", PAGE))
    assert not {n for n in named if not any(m == n or m.endswith(f"/{n}") for m in modules)}
    limits = set(re.findall(r"`([A-Z][A-Z_]{4,})`", PAGE))
    assert len(limits) > 40
    assert not {name for name in limits if not re.search(rf"^ *{name} = ", code, re.MULTILINE)}


def test_the_values_of_limits_on_the_page_are_those_in_the_code() -> None:
    assigned = re.compile(r"^([A-Z][A-Z_]+) = ([0-9_.* <]+?) *(?:#.*)?$", re.MULTILINE)
    values: dict[str, list[float]] = {}  # A few names stand in two modules.
    for path in sorted((ROOT / "busk8s").rglob("*.py")):
        for name, value in assigned.findall(path.read_text()):
            values.setdefault(name, []).append(eval(value, {}))
    scale = {"KiB": 1024, "MiB": 1024**2, "": 1, "s": 1}
    said = re.findall(r"`([A-Z][A-Z_]{4,})` ([\d,]+)(?: (KiB|MiB|s)\b)?", PAGE)
    assert len(said) > 30
    for name, amount, unit in said:
        assert int(amount.replace(",", "")) * scale[unit] in values[name], name
