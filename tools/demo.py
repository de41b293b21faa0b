"""The demo of the README: a cluster, an application, healing, scaling, and nothing left behind.

Every command is printed as a user would type it. Stops with the exit code of what failed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parent.parent
WAIT_S = 60


def say(text: str) -> None:
    print(f"\n\033[1m# {text}\033[0m" if sys.stdout.isatty() else f"\n# {text}", flush=True)


class Demo:
    def __init__(self, directory: Path) -> None:
        self.data = directory / "cluster"
        self.kubeconfig = directory / "kubeconfig"
        kubectl = shutil.which("kubectl", path=f"{BIN}:{os.environ['PATH']}")
        assert kubectl, "kubectl is missing; `make setup` installs it"
        self.env = os.environ | {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "KUBECONFIG": str(self.kubeconfig),
        }

    def run(self, *command: str, quiet: bool = False) -> str:
        if not quiet:
            print(f"$ {' '.join(command)}", flush=True)
        done = subprocess.run(
            command, env=self.env, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
        )
        if not quiet:
            print(done.stdout, end="", flush=True)
        if done.returncode:
            raise SystemExit(done.returncode)
        return done.stdout

    def kubectl(self, line: str, *, quiet: bool = False) -> str:
        return self.run("kubectl", *line.split(), quiet=quiet)

    def wait(self, what: str, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_S
        while not done():
            if time.monotonic() > deadline:
                raise SystemExit(f"waited {WAIT_S} s in vain: {what}")
            time.sleep(0.1)

    def ask(self, path: str = "/") -> str:
        """What the Service answers; empty while nothing does."""
        done = subprocess.run(
            ["curl", "-sS", "--max-time", "5", self.url + path], capture_output=True, text=True
        )
        return done.stdout

    def restarts(self) -> dict[str, int]:
        pods = json.loads(self.kubectl("get pods -l app=hello -o json", quiet=True))["items"]
        return {
            pod["metadata"]["name"]: sum(
                status["restartCount"] for status in pod["status"]["containerStatuses"]
            )
            for pod in pods
        }

    def play(self) -> None:
        say("a cluster: one master, two workers")
        port = "--https-port=0"
        self.run(
            "busk8s", "up", "--workers=2", f"--data-dir={self.data}",
            f"--kubeconfig={self.kubeconfig}", port, "--detach",
        )  # fmt: skip
        self.kubectl("get nodes -o wide")

        say("an application: three pods and a Service")
        self.kubectl(f"apply -f {ROOT / 'examples' / 'hello.yaml'}")
        self.kubectl("rollout status deployment/hello --timeout=60s")
        self.kubectl("get pods,services,endpointslices -o wide")
        self.answer()

        say("healing: one process crashes, one pod is deleted")
        print(f"$ curl {self.url}/crash\n{self.ask('/crash')}", end="")
        self.wait("a restart", lambda: any(self.restarts().values()))
        self.kubectl("get pods")
        whole = next(name for name, restarts in self.restarts().items() if not restarts)
        self.kubectl(f"delete pod {whole}")
        self.kubectl("rollout status deployment/hello --timeout=60s")
        self.kubectl("wait deployment/hello --for=condition=Available --timeout=60s")
        self.kubectl("get pods")
        self.answer()

        say("scaling")
        self.kubectl("scale deployment/hello --replicas=6")
        self.kubectl("rollout status deployment/hello --timeout=60s")
        self.kubectl("get pods -o wide")
        self.answer()

    def answer(self) -> None:
        if os.geteuid() == 0:
            address = self.kubectl("get svc hello -o jsonpath={.spec.clusterIP}", quiet=True)
            self.url = f"http://{address}"
        else:
            patch = '{"spec":{"type":"NodePort"}}'
            self.run("kubectl", "patch", "service", "hello", "-p", patch, quiet=True)
            where = "-o jsonpath={.spec.ports[0].nodePort}"
            port = self.kubectl(f"get svc hello {where}", quiet=True)
            self.url = f"http://127.0.0.1:{port}"
        self.wait("an answer of the Service", lambda: "Hello" in self.ask())
        print(f"$ for i in 1 2 3 4 5 6; do curl {self.url}; done")
        for _ in range(6):
            print(self.ask(), end="")

    def end(self) -> None:
        say("down: nothing is left behind")
        self.run("busk8s", "down", f"--data-dir={self.data}")


def main() -> None:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="busk8s-demo-") as directory:
        demo = Demo(Path(directory))
        try:
            demo.play()
        finally:
            demo.end()
    say(f"done in {time.monotonic() - started:.1f} s")
    print("To keep a cluster: busk8s up --workers 2, then kubectl as ever; busk8s down ends it.")


if __name__ == "__main__":
    main()
