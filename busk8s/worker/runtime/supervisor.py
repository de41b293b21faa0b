"""The process that holds a node's containers, so that they outlive the kubelet.

Owns      its life (one a directory, by a lock), its requests, what a killed predecessor left.
Leaves    pods.py and containers.py do the work; process.py is the other end.
Invariant nothing here waits: a request that takes time is answered from a callback.
Imports are few on purpose: every page of this process is copied, or shared, at each fork.
"""

from __future__ import annotations

import fcntl
import gc
import hashlib
import os
import resource
import signal
import sys
from typing import TYPE_CHECKING

from busk8s.worker.runtime import linux
from busk8s.worker.runtime.cgroups import Cgroups, remove_tree
from busk8s.worker.runtime.containers import TERMINAL, Containers
from busk8s.worker.runtime.dialing import Dialing
from busk8s.worker.runtime.execs import Execs
from busk8s.worker.runtime.failure import Failure, Reply
from busk8s.worker.runtime.peers import Peer, Peers, frame
from busk8s.worker.runtime.pods import Pods
from busk8s.worker.runtime.reactor import Reactor
from busk8s.worker.runtime.spawn import Features, Plan
from busk8s.worker.runtime.table import Table, boot_id

if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]

SOCKET_NAME = "supervisor.sock"
LOCK_NAME = "supervisor.lock"
GROUP_TRIES = 100  # two seconds for what was just killed to be gone
BURIED = "the supervisor that held this container was killed"


def cluster_name(root: str) -> str:
    """Ten characters that are this directory's alone: names of groups, devices, tables."""
    return hashlib.sha1(os.path.realpath(root).encode(), usedforsecurity=False).hexdigest()[:10]


class Supervisor:
    def __init__(self, root: str) -> None:
        self.name = cluster_name(root)
        self._root = root
        self._reactor = Reactor()
        self._features = Features()
        self._table = Table(f"{root}/table.jsonl")
        self._cgroups = Cgroups(f"busk8s-{self.name}")
        self._containers = Containers(
            root, self._reactor, self._table, self._cgroups, self._features
        )
        self._pods = Pods(root, self._table, self._containers, self._features)
        self._execs = Execs(self._reactor, self._features)
        self._dialing = Dialing()
        self._containers.namespaces = self._pods.namespaces
        linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
        self._bury_predecessor()
        directory = os.open(root, os.O_PATH | os.O_CLOEXEC)
        self._peers = Peers(directory, SOCKET_NAME, self._reactor, self._on_request)
        self._containers.publish = self._pods.publish = self._publish
        self._reactor.on_child(self._child_ended)

    def run(self) -> None:
        # What exists now lives on: the collector would only touch, and so copy, its pages.
        gc.collect()
        gc.freeze()
        self._reactor.run()

    def _publish(self, kind: str, record: Json) -> None:
        self._peers.broadcast({"change": kind, "record": record})

    def _child_ended(self, pid: int, status: int) -> None:
        if not self._containers.child_ended(pid, status):
            self._execs.child_ended(pid, status) or self._dialing.child_ended(pid)

    def _bury_predecessor(self) -> None:
        if self._table.boot_id != boot_id():
            for record in self._table.containers.values():
                record["start_ticks"] = 0  # a pid of another boot is somebody else
        for record in list(self._table.containers.values()):
            self._containers.bury(record, BURIED)
        for record in list(self._table.sandboxes.values()):
            self._pods.bury(record)
        for container_id in self._cgroups.leftovers():
            self._cgroups.kill(container_id)
            self._cgroups.remove(container_id)
        # A predecessor may have been started in another group, and have had its parents there.
        parents = self._cgroups.parents()
        for parent in self._table.groups:
            if parent not in parents:
                remove_tree(parent)
        self._table.set_groups(parents)

    # -- requests -----------------------------------------------------------------------------

    def _on_request(self, peer: Peer, request: Json) -> None:
        number = request.get("id")

        def reply(result: object, failure: Failure | None) -> None:
            if failure is None:
                peer.send(frame({"id": number, "result": result}))
            else:
                said = {"reason": failure.reason, "message": failure.message}
                peer.send(frame({"id": number, "failure": said}))

        try:
            op, params = str(request.get("op")), request.get("params") or {}
            if op == "connect":  # a child answers
                self._dialing.connect(
                    self._pods.namespaces(self._pods.ready(params["id"])["id"]),
                    int(params["port"]), peer, number,
                )  # fmt: skip
            else:
                self._perform(peer, op, params, reply)
        except Failure as failure:
            reply(None, failure)
        except (OSError, KeyError, TypeError, ValueError) as error:
            reply(None, Failure("RuntimeError", f"{type(error).__name__}: {error}"))

    def _perform(self, peer: Peer, op: str, params: Json, reply: Reply) -> None:
        waits = {
            "start_container": self._start_container,
            "stop_container": self._stop_container,
            "stop_sandbox": self._stop_sandbox,
            "exec": self._exec,
            "shutdown": self._shutdown,
        }
        if op == "subscribe":
            peer.subscribed = True
            reply(self._snapshot(), None)
        elif op == "exec_attached":
            self._exec_attached(params, peer, reply)
        elif op == "attach":
            self._attach(params, peer, reply)
        elif op in waits:
            waits[op](params, reply)
        else:
            reply(self._at_once(op, params), None)

    def _at_once(self, op: str, params: Json) -> object:
        if op == "run_sandbox":
            return self._pods.run(params["config"])
        if op == "remove_sandbox":
            self._remove_sandbox(params["id"])
        elif op == "create_container":
            sandbox = self._pods.ready(params["sandbox_id"])
            return {"id": self._containers.create(sandbox, params["config"])}
        elif op == "update_container":
            self._containers.update(params["id"], params["limits"])
        elif op == "remove_container":
            self._containers.remove(params["id"])
        elif op == "reopen_log":
            self._containers.reopen_log(params["id"])
        elif op == "usage":
            return self._containers.usage()
        elif op == "end_input":
            self._containers.stdio(params["id"]).end_input()
        elif op == "set_pod_cidr":
            self._pods.set_pod_cidr(self.name, params["pod_cidr"])
        else:
            raise Failure("Unsupported", f"the supervisor has no operation {op}")
        return {}

    def _shutdown(self, params: Json, reply: Reply) -> None:
        """Leave nothing behind. The client has stopped and removed all it knew of."""
        if self._table.sandboxes:
            raise Failure("Running", "there are sandboxes; stop and remove them first")
        self._pods.close_network(self.name)
        self._when_groups_are_gone(GROUP_TRIES, reply)

    def _when_groups_are_gone(self, tries: int, reply: Reply) -> None:
        if not self._cgroups.remove_parents() and tries:
            again = tries - 1
            self._reactor.after(0.02, lambda: self._when_groups_are_gone(again, reply))
            return
        # Whoever connects from now on must start a supervisor of its own.
        os.unlink(f"{self._root}/{SOCKET_NAME}")
        reply({}, None)
        self._reactor.stop()

    def _snapshot(self) -> Json:
        return {
            "sandboxes": list(self._table.sandboxes.values()),
            "containers": list(self._table.containers.values()),
            "features": self._features.table(),
            "cgroups": {
                "version": self._cgroups.version,
                "controllers": self._cgroups.controllers(),
                "problems": self._cgroups.problems,
            },
            "pid": os.getpid(),
        }

    def _start_container(self, params: Json, reply: Reply) -> None:
        record = self._containers.record(params["id"])
        self._containers.start(self._pods.ready(record["sandbox_id"]), params["id"], reply)

    def _stop_container(self, params: Json, reply: Reply) -> None:
        self._containers.stop(params["id"], float(params["grace_s"]), reply)

    def _stop_sandbox(self, params: Json, reply: Reply) -> None:
        sandbox_id = params["id"]
        self._pods.record(sandbox_id)
        waiting = self._containers.of(sandbox_id)
        left = len(waiting) or 1

        def one_dead(result: object, failure: Failure | None) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self._pods.stop(sandbox_id)
                reply({}, None)

        for container_id in waiting:
            self._containers.stop(container_id, 0.0, one_dead)
        if not waiting:
            one_dead({}, None)

    def _remove_sandbox(self, sandbox_id: str) -> None:
        record = self._pods.record(sandbox_id)
        if record["state"] == "ready":
            raise Failure("Running", f"sandbox {sandbox_id} is ready; stop it first")
        for container_id in self._containers.of(sandbox_id):
            self._containers.remove(container_id)
        self._pods.remove(sandbox_id)

    def _exec(self, params: Json, reply: Reply) -> None:
        pid, plan = self._command(params)
        self._execs.run(pid, plan, float(params["timeout_s"]), reply)

    def _exec_attached(self, params: Json, peer: Peer, reply: Reply) -> None:
        pid, plan = self._command(params)
        plan.terminal = bool(params["tty"])
        if plan.terminal:
            plan.env.setdefault("TERM", TERMINAL)
        self._execs.run_attached(pid, plan, peer, reply)

    def _command(self, params: Json) -> tuple[int, Plan]:
        """The process beside which a command runs, and how it is run."""
        container_id = params["id"]
        pid = self._containers.running_pid(container_id)
        record = self._containers.record(container_id)
        sandbox = self._pods.record(record["sandbox_id"])
        env = self._containers.environment(sandbox, record["config"], container_id)
        cwd = record["config"]["working_dir"] or f"{sandbox['directory']}/work"
        plan = Plan([str(word) for word in params["command"]], env, cwd)
        plan.uid, plan.gid = record["config"]["run_as_user"], record["config"]["run_as_group"]
        plan.cgroups = self._cgroups.paths(container_id)
        return pid, plan

    def _attach(self, params: Json, peer: Peer, reply: Reply) -> None:
        """Answered twice: at once, with what to write to; and when the container has ended."""
        container_id, wants_input = params["id"], bool(params["stdin"])
        stdio = self._containers.stdio(container_id)
        once = self._containers.record(container_id)["config"].get("stdin_once", False)
        attached = stdio.attach(*peer.take_descriptors(2))
        attached.over = lambda: reply({}, None)

        def gone() -> None:
            attached.leave()
            if wants_input and once:
                stdio.end_input()

        peer.on_gone = gone
        handed = stdio.input_for(wanted=wants_input)
        peer.send_with(frame({"id": 0, "result": {"input": len(handed)}}), handed)


def main() -> None:
    """`supervisor DIRECTORY`: go to the background; return once it answers, or say why not."""
    root = os.path.realpath(sys.argv[1])
    os.makedirs(root, mode=0o700, exist_ok=True)
    for name in ("sandboxes", "containers"):
        os.makedirs(f"{root}/{name}", mode=0o755, exist_ok=True)
    lock = os.open(f"{root}/{LOCK_NAME}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # somebody was faster; the client connects to that one
    reader, writer = os.pipe2(os.O_CLOEXEC)
    if os.fork():
        os.close(writer)
        os._exit(0 if os.read(reader, 1) else 1)
    os.setsid()
    os.chdir("/")
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # it ends by `shutdown`, when its containers have
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    supervisor = Supervisor(root)
    os.write(lock, b"%d\n" % os.getpid())
    os.write(writer, b".")
    os.close(writer)
    supervisor.run()


if __name__ == "__main__":
    main()
