"""The process runtime passes the runtime contract, and what is its own: crashes, views, leaks."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from busk8s.testing.runtime_contract import (
    FOREVER,
    RuntimeContract,
    eventually,
    find,
    pod,
    program,
    reaches,
    shell,
    started,
)
from busk8s.worker.network.bridge import bridge_name
from busk8s.worker.runtime.base import Limits, Mount, RuntimeFailure, SandboxConfig
from busk8s.worker.runtime.process import ProcessRuntime
from busk8s.worker.runtime.supervisor import cluster_name
from tests.namespaces import alive, fresh_netns, running

pytestmark = pytest.mark.realtime
AS_ROOT = os.geteuid() == 0


@asynccontextmanager
async def process_runtime(root: Path) -> AsyncIterator[ProcessRuntime]:
    """In a network namespace of its own as root; afterwards nothing of it may be left."""
    with fresh_netns():
        runtime = ProcessRuntime(root / "runtime")
        await runtime.open()
        try:
            if AS_ROOT:
                await runtime.set_pod_cidr("10.231.0.0/24")
            yield runtime
        finally:
            await runtime.shutdown()
            await gone(root / "runtime", runtime.features["pid"])


async def gone(root: Path, supervisor: int) -> None:
    async def ended() -> bool:
        return not alive(supervisor)

    await eventually(ended)
    name = cluster_name(str(root))
    assert not leftover_groups(name)
    with open("/proc/self/mountinfo") as file:
        assert str(root) not in file.read()
    assert bridge_name(name) not in [device for _, device in socket.if_nameindex()]


def leftover_groups(name: str) -> list[str]:
    return [path for path, _, _ in os.walk("/sys/fs/cgroup") if name in path]


class TestProcess(RuntimeContract):
    def opened(self, root: Path):  # type: ignore[no-untyped-def]  # a narrower type than the suite's
        return process_runtime(root)


async def test_no_command_is_refused_with_the_image_named(tmp_path: Path) -> None:
    async with process_runtime(tmp_path) as runtime:
        sandbox = await runtime.run_sandbox(pod())
        with pytest.raises(RuntimeFailure, match='image "image" has no default command'):
            await runtime.create_container(sandbox.id, program())


async def test_a_request_repeated_makes_nothing_twice(tmp_path: Path) -> None:
    async with process_runtime(tmp_path) as runtime:
        sandbox = await runtime.run_sandbox(pod())
        assert (await runtime.run_sandbox(pod())).id == sandbox.id
        first = await runtime.create_container(sandbox.id, program(*FOREVER))
        assert await runtime.create_container(sandbox.id, program(*FOREVER)) == first


KUBELET = """
import asyncio, sys
from pathlib import Path
from busk8s.testing.runtime_contract import pod, program, started
from busk8s.worker.runtime.process import ProcessRuntime

async def main():
    runtime = ProcessRuntime(Path(sys.argv[1]))
    await runtime.open()
    host = pod().__class__("default", "p", "u1", host_network=True)
    sandbox = await runtime.run_sandbox(host)
    await started(runtime, sandbox.id, program("sleep", "1000"))
    print("ready", flush=True)
    await asyncio.sleep(1000)

asyncio.run(main())
"""


async def test_containers_outlive_a_killed_kubelet(tmp_path: Path) -> None:
    # 1. A kubelet starts a container and is killed.
    root = tmp_path / "runtime"
    kubelet = subprocess.Popen(
        [sys.executable, "-c", KUBELET, str(root)], stdout=subprocess.PIPE, start_new_session=True
    )
    assert kubelet.stdout is not None
    with kubelet.stdout:
        assert await asyncio.to_thread(kubelet.stdout.readline) == b"ready\n"
        os.killpg(kubelet.pid, signal.SIGKILL)
        kubelet.wait()
    # 2. The next one finds it running, the same process, and can stop it.
    runtime = ProcessRuntime(root)
    await runtime.open()
    (container,) = await runtime.list_containers()
    assert container.state == "running"
    assert alive(container.pid)
    await runtime.stop_container(container.id, 1)
    found = await find(runtime, container.id)
    assert found is not None
    assert found.exit_code == 143
    await runtime.shutdown()
    await gone(root, runtime.features["pid"])


async def test_a_killed_supervisor_takes_its_containers_along(tmp_path: Path) -> None:
    async with process_runtime(tmp_path) as runtime:
        # 1. A container that has a child in a session of its own.
        sandbox = await runtime.run_sandbox(pod())
        script = "setsid sleep 1000 & sleep 1000"
        container = await started(runtime, sandbox.id, shell(script))
        pid = (await reaches(runtime, container, "running")).pid
        # 2. The supervisor is killed; a new one is started by the next call.
        os.kill(runtime.features["pid"], signal.SIGKILL)

        async def ended() -> bool:
            return not alive(pid)

        await eventually(ended)
        await asyncio.sleep(0.05)
        states = [(c.state, c.exit_code) for c in await runtime.list_containers()]
        # 3. What it held is dead, and said to be; the pod starts over with another sandbox.
        assert states == [("exited", 137)]
        assert [s.state for s in await runtime.list_sandboxes()] == ["notready"]
        again = await runtime.run_sandbox(pod(attempt=1))
        await started(runtime, again.id, program(*FOREVER))


async def test_calls_at_once_after_a_supervisors_death_all_succeed(tmp_path: Path) -> None:
    async with process_runtime(tmp_path) as runtime:
        os.kill(runtime.features["pid"], signal.SIGKILL)
        await asyncio.sleep(0.05)
        made = await asyncio.gather(*(runtime.run_sandbox(pod(f"u{i}")) for i in range(8)))
        assert len({sandbox.id for sandbox in made}) == len(await runtime.list_sandboxes()) == 8


async def test_nothing_is_left_when_the_last_supervisor_was_killed(tmp_path: Path) -> None:
    async with process_runtime(tmp_path) as runtime:
        await runtime.run_sandbox(pod())
        os.kill(runtime.features["pid"], signal.SIGKILL)
        await asyncio.sleep(0.05)
        other = ProcessRuntime(tmp_path / "runtime")  # as `down` does: knows no subnet
        await other.open()
        await other.shutdown()
        if AS_ROOT:
            names = [name for _, name in socket.if_nameindex()]
            assert names == ["lo"]
        await runtime.close()


async def test_children_that_try_to_get_away_die_with_the_container(tmp_path: Path) -> None:
    async with process_runtime(tmp_path) as runtime:
        sandbox = await runtime.run_sandbox(pod())
        script = "setsid sh -c 'sleep 987654' & sleep 0.1; echo $!; exit 0"
        container = await started(runtime, sandbox.id, shell(script))
        await reaches(runtime, container, "exited")
        assert not running("sleep 987654")


async def test_a_loud_container_loses_no_line(tmp_path: Path) -> None:
    async with process_runtime(tmp_path) as runtime:
        sandbox = await runtime.run_sandbox(pod(logs=str(tmp_path)))
        container = await started(runtime, sandbox.id, shell("seq 200000", log_path="c.log"))
        await reaches(runtime, container, "exited")
        lines = (tmp_path / "c.log").read_text().splitlines()
        assert [line.split(" ")[3] for line in lines] == [str(i) for i in range(1, 200_001)]


async def test_two_directories_on_one_machine_do_not_meet(tmp_path: Path) -> None:
    async with process_runtime(tmp_path / "a") as one, process_runtime(tmp_path / "b") as other:
        await one.run_sandbox(pod())
        assert list(await other.list_sandboxes()) == []


async def test_a_frame_over_the_limit_ends_that_client_only(tmp_path: Path) -> None:
    async with process_runtime(tmp_path) as runtime:
        path = f"/proc/self/fd/{os.open(tmp_path / 'runtime', os.O_PATH)}/supervisor.sock"
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"\xff\xff\xff\xff" + b"x" * 100)
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        os.close(int(path.split("/")[4]))
        assert list(await runtime.list_sandboxes()) == []


# May read everywhere, as an interpreter in root's home would otherwise be out of reach; no more.
NOBODY = (
    "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
    "--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search", "--",
)  # fmt: skip


@pytest.mark.root
@pytest.mark.skipif(not AS_ROOT, reason="needs root")
class TestAsRoot:
    async def test_a_pod_has_its_own_network_name_and_files(self, tmp_path: Path) -> None:
        async with process_runtime(tmp_path) as runtime:
            sandbox = await runtime.run_sandbox(
                SandboxConfig(
                    "default", "web", "u1", hostname="web-0", dns_servers=("10.96.0.10",),
                    dns_searches=("default.svc.cluster.local",), dns_options=("ndots:5",),
                )
            )  # fmt: skip
            container = await started(runtime, sandbox.id, program(*FOREVER))
            script = "hostname; cat /etc/hosts /etc/resolv.conf; echo $$"
            result = await runtime.exec_sync(container, ("sh", "-c", script), 5)
            text = result.stdout.decode()
            assert sandbox.ip.startswith("10.231.0.")
            assert text.startswith("web-0\n")
            assert f"{sandbox.ip}\tweb-0" in text
            assert (
                "search default.svc.cluster.local\nnameserver 10.96.0.10\noptions ndots:5" in text
            )
            assert int(text.split()[-1]) < 10  # a process table of its own

    async def test_volumes_are_bound_and_leave_no_mount_point_behind(self, tmp_path: Path) -> None:
        volume = tmp_path / "volume"
        volume.mkdir()
        (volume / "f").write_text("content\n")
        targets = ("/busk8s-no-such-directory", "/etc/busk8s-test", "/var/run/secrets/busk8s-test")
        mounts = [Mount(str(volume), target) for target in targets]
        mounts.append(Mount(str(volume), "/opt/busk8s-ro", read_only=True))
        mounts.append(Mount(str(volume / "f"), "/etc/busk8s-file"))
        async with process_runtime(tmp_path) as runtime:
            sandbox = await runtime.run_sandbox(pod())
            config = program(*FOREVER, mounts=tuple(mounts))
            container = await started(runtime, sandbox.id, config)
            script = " ".join(f"cat {target}/f;" for target in targets) + (
                "cat /etc/busk8s-file /opt/busk8s-ro/f; touch /opt/busk8s-ro/g || echo ro;"
                "touch /busk8s-no-such-directory/written; test -s /etc/passwd && echo host"
            )
            result = await runtime.exec_sync(container, ("sh", "-c", script), 5)
            assert result.stdout.decode() == "content\n" * 5 + "ro\nhost\n"
            assert (volume / "written").exists()
            for mount in mounts:
                assert not os.path.lexists(mount.container_path)

    async def test_too_much_memory_is_oom_killed(self, tmp_path: Path) -> None:
        async with process_runtime(tmp_path) as runtime:
            sandbox = await runtime.run_sandbox(pod())
            eat = program(
                sys.executable, "-c", "x = bytearray(300 << 20)",
                limits=Limits(memory_limit_bytes=64 << 20),
            )  # fmt: skip
            container = await started(runtime, sandbox.id, eat)
            ended = await reaches(runtime, container, "exited")
            assert (ended.reason, ended.exit_code) == ("OOMKilled", 137)

    async def test_usage_counts_what_a_container_takes(self, tmp_path: Path) -> None:
        async with process_runtime(tmp_path) as runtime:
            sandbox = await runtime.run_sandbox(pod())
            busy = program(
                sys.executable, "-c", "x = bytearray(32 << 20)\nwhile True: pass",
                limits=Limits(cpu_limit_millis=300),
            )  # fmt: skip
            await started(runtime, sandbox.id, busy)

            async def counted() -> bool:
                (usage,) = await runtime.usage()
                return usage.cpu_s > 0.02 and usage.memory_bytes > 32 << 20

            await eventually(counted)

    async def test_containers_run_as_the_user_they_name(self, tmp_path: Path) -> None:
        async with process_runtime(tmp_path) as runtime:
            sandbox = await runtime.run_sandbox(pod(logs=str(tmp_path)))
            script = "id -u; id -g; id -G"
            config = shell(script, log_path="c.log", run_as_user=1234, run_as_group=77)
            container = await started(runtime, sandbox.id, config)
            await reaches(runtime, container, "exited")
            said = [line.split(" ")[3] for line in (tmp_path / "c.log").read_text().splitlines()]
            assert said == ["1234", "77", "77"]

    async def test_pods_reach_each_other_and_the_node(self, tmp_path: Path) -> None:
        async with process_runtime(tmp_path) as runtime:
            one = await runtime.run_sandbox(pod("u1"))
            two = await runtime.run_sandbox(pod("u2"))
            serve = program(sys.executable, "-m", "http.server", "8000", "--bind", one.ip)
            await started(runtime, one.id, serve)
            caller = await started(runtime, two.id, program(*FOREVER))
            call = f"import socket; socket.create_connection(('{one.ip}', 8000), 2)"
            command = (sys.executable, "-S", "-c", call)

            async def answered() -> bool:
                return (await runtime.exec_sync(caller, command, 5)).exit_code == 0

            await eventually(answered)
            assert one.ip != two.ip

    async def test_without_root_it_works_on_the_hosts_network(self, tmp_path: Path) -> None:
        """The contract, once more, as `nobody`, in a process of its own."""
        script = Path(__file__).with_name("unprivileged_runtime.py")
        home = Path("/tmp") / f"busk8s-nobody-{os.getpid()}"
        home.mkdir()
        os.chown(home, 65534, 65534)
        try:
            done = await asyncio.to_thread(
                subprocess.run,
                [*NOBODY, sys.executable, str(script), str(home)],
                capture_output=True, text=True, cwd="/",
                env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
            )  # fmt: skip
        finally:
            subprocess.run(["rm", "-rf", str(home)], check=True)
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout.splitlines()[-1])
        assert said["ip"] == ""
        assert said["exit"] == 143
        assert said["log"] == ["stdout F hello"]
        assert said["orphan"] is False
        assert said["volume"] in (
            "content\n",
            "refused: volume mounts need root or user namespaces",
        )


@pytest.mark.skipif(not AS_ROOT, reason="namespaces need root")
async def test_a_container_sees_the_processes_of_its_target(tmp_path: Path) -> None:
    async with process_runtime(tmp_path) as runtime:
        sandbox = await runtime.run_sandbox(pod(logs=str(tmp_path)))
        target = await started(runtime, sandbox.id, program("sleep", "1000.25"))
        look = "tr '\\0' ' ' </proc/1/cmdline; echo; sleep 1000"
        with_target = shell(look, name="d", log_path="d.log", target_id=target)
        debugger = await started(runtime, sandbox.id, with_target)

        async def said() -> bool:
            return (tmp_path / "d.log").read_text().endswith("F sleep 1000.25 \n")

        await eventually(said)
        # The process namespace that both are in is the target's, and ends with it.
        await runtime.stop_container(target, 0)
        assert (await reaches(runtime, debugger, "exited")).exit_code == 137
        late = shell("true", name="e", target_id=target)
        with pytest.raises(RuntimeFailure, match="is not running") as failure:
            await runtime.create_container(sandbox.id, late)
        assert failure.value.reason == "CreateContainerError"


@pytest.mark.skipif(not AS_ROOT, reason="groups need root")
async def test_limits_are_changed_in_the_groups_of_a_running_container(tmp_path: Path) -> None:
    async with process_runtime(tmp_path) as runtime:
        if runtime.unenforced_limits():
            pytest.skip("this machine limits neither cpu nor memory")
        sandbox = await runtime.run_sandbox(pod())
        hold = "import time; held = bytearray(64 << 20); time.sleep(1000)"
        container = await started(runtime, sandbox.id, program(sys.executable, "-c", hold))

        async def holding() -> bool:
            return any(u.memory_bytes > 64 << 20 for u in await runtime.usage())

        await eventually(holding)
        # 1. A container without limits is given some: in groups that it may not have had.
        await runtime.update_container(container, Limits(100, 200, 256 << 20))
        assert set_limits(container) == {"memory": 256 << 20, "cpu": 20_000}
        await runtime.update_container(container, Limits(100, 300, 512 << 20))
        assert set_limits(container) == {"memory": 512 << 20, "cpu": 30_000}
        # 2. Less memory than it uses is refused, and changes nothing.
        with pytest.raises(RuntimeFailure, match="below current usage"):
            await runtime.update_container(container, Limits(100, 400, 16 << 20))
        assert set_limits(container) == {"memory": 512 << 20, "cpu": 30_000}
        found = await find(runtime, container)
        assert found is not None
        assert found.config.limits == Limits(100, 300, 512 << 20)


def set_limits(container_id: str) -> dict[str, int]:
    """What the kernel says of the groups that the container's process is in."""
    found: dict[str, int] = {}
    for path, _, files in os.walk("/sys/fs/cgroup"):
        if Path(path).name == container_id:
            for name in ("memory.limit_in_bytes", "memory.max"):
                if name in files:
                    found["memory"] = int((Path(path) / name).read_text())
            for name in ("cpu.cfs_quota_us", "cpu.max"):
                if name in files:
                    found["cpu"] = int((Path(path) / name).read_text().split()[0])
            assert (Path(path) / "cgroup.procs").read_text().strip()
    return found
