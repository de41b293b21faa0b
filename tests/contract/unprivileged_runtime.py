"""Run by test_runtime.py as `nobody`: what the process runtime does without root, as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from busk8s.testing.runtime_contract import FOREVER, pod, program, reaches, shell, started
from busk8s.worker.runtime.base import Mount, Runtime, RuntimeFailure
from busk8s.worker.runtime.process import ProcessRuntime
from tests.namespaces import running


async def volume(runtime: Runtime, sandbox: str, home: Path) -> str:
    (home / "v").mkdir()
    (home / "v/f").write_text("content\n")
    config = program(*FOREVER, name="v", mounts=(Mount(str(home / "v"), "/busk8s-v"),))
    config = shell(
        f"cat /busk8s-v/f > {home}/seen; sleep 1000",
        name="v",
        mounts=config.mounts,
    )
    try:
        await started(runtime, sandbox, config)
    except RuntimeFailure as failure:
        return "refused: " + failure.message.partition(",")[0]
    while not (home / "seen").exists() or not (home / "seen").read_text():
        await asyncio.sleep(0.02)
    return (home / "seen").read_text()


async def main(home: Path) -> None:
    runtime = ProcessRuntime(home / "runtime")
    await runtime.open()
    sandbox = await runtime.run_sandbox(pod(logs=str(home / "logs")))
    script = "echo hello; setsid sh -c 'sleep 876543' & sleep 1000"
    container = await started(runtime, sandbox.id, shell(script, log_path="c.log"))
    while not (home / "logs/c.log").read_text():
        await asyncio.sleep(0.02)
    seen = await volume(runtime, sandbox.id, home)
    await runtime.stop_container(container, 5)
    ended = await reaches(runtime, container, "exited")
    lines = (home / "logs/c.log").read_text().splitlines()
    said = {
        "ip": sandbox.ip,
        "exit": ended.exit_code,
        "log": [line.split(" ", 1)[1] for line in lines],
        "orphan": running("sleep 876543"),
        "volume": seen,
        "features": runtime.features,
    }
    await runtime.shutdown()
    print(json.dumps(said))


asyncio.run(main(Path(sys.argv[1])))
