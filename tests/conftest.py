"""Runs every `async def` test: on virtual time, or on the real loop when marked `realtime`."""

from __future__ import annotations

import asyncio
import inspect
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from busk8s.testing.simloop import SimLoop

settings.register_profile("quick", max_examples=60, deadline=None)
settings.register_profile(
    "deep", max_examples=2_000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
# CI judges a change, not today's luck: new random examples are for developers and `deep` runs.
settings.register_profile("ci", settings.get_profile("quick"), derandomize=True)
_default = "ci" if os.environ.get("CI") == "true" else "quick"
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", _default))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: Any) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    realtime = pyfuncitem.get_closest_marker("realtime")
    args = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    with asyncio.Runner(loop_factory=None if realtime else SimLoop) as runner:
        runner.run(pyfuncitem.obj(**args))
    return True
