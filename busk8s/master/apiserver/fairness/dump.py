"""/debug/api_priority_and_fairness: levels and queues as they are now, for people.

Owns      upstream's tables. Leaves   counting (tally), queues (level), who may look (authz).
Source    Kubernetes documentation, "API Priority and Fairness", "Debug endpoints".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from busk8s import errors
from busk8s.api.request import Request, Response
from busk8s.master.apiserver.fairness.gate import Gate

PLAIN = "text/plain; charset=utf-8"
PREFIX = "/debug/api_priority_and_fairness/"
COLUMN_MIN = 8
LEVELS = (
    "PriorityLevelName", "ActiveQueues", "IsIdle", "IsQuiescing", "WaitingRequests",
    "ExecutingRequests", "DispatchedRequests", "RejectedRequests", "TimedoutRequests",
    "CancelledRequests",
)  # fmt: skip
QUEUES = ("PriorityLevelName", "Index", "PendingRequests", "FlowDistinguisher")

Handler = Callable[[Request], Awaitable[Response]]


def handlers(gate: Gate) -> Mapping[str, Handler]:
    """By path; whatever else is below /debug/ is refused by name."""

    async def levels(request: Request) -> Response:
        return _text(table([LEVELS, *_levels(gate)]))

    async def queues(request: Request) -> Response:
        return _text(table([QUEUES, *_queues(gate)]))

    return {
        PREFIX + "dump_priority_levels": levels,
        PREFIX + "dump_queues": queues,
        "/debug/": _refused,
    }


async def _refused(request: Request) -> Response:
    raise errors.Error(501, "NotImplemented", f"{request.path} is not supported by busk8s")


def _text(text: str) -> Response:
    return Response(200, text.encode(), PLAIN)


def _levels(gate: Gate) -> Iterable[Sequence[str]]:
    for level in sorted(gate.levels(), key=lambda one: one.name):
        tallies = gate.tallies.of_level(level.name)
        rejected = [tally.rejected for tally in tallies]
        timed_out = sum(one.get("time-out", 0) for one in rejected)
        executing = sum(tally.executing for tally in tallies)
        yield (
            level.name,
            str(len(level.queues())),
            _said(not executing and not level.waiting),
            _said(False),
            str(level.waiting),
            str(executing),
            str(sum(tally.dispatched for tally in tallies)),
            str(sum(sum(one.values()) for one in rejected) - timed_out),
            str(timed_out),
            str(sum(tally.cancelled for tally in tallies)),
        )


def _queues(gate: Gate) -> Iterable[Sequence[str]]:
    """Here a queue is of one flow, and there only while requests wait in it."""
    for level in sorted(gate.levels(), key=lambda one: one.name):
        for index, (flow, waiting) in enumerate(sorted(level.queues().items())):
            yield level.name, str(index), str(waiting), flow


def _said(truth: bool) -> str:
    return "true" if truth else "false"


def table(rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, each cell but the last with a comma."""
    cells = [[*(f"{cell}," for cell in row[:-1]), row[-1]] for row in rows]
    widths = [max(COLUMN_MIN, *(len(row[i]) + 1 for row in cells)) for i in range(len(cells[0]))]
    lines = (
        "".join(cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)) + row[-1]
        for row in cells
    )
    return "\n".join(lines) + "\n"
