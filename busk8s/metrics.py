"""What a component counts of itself, and Prometheus' text form of it.

Owns      the three kinds of metrics, the bound on their series, the text.
Leaves    what is counted, under which names (each component), where it is read (apiserver/metrics).
Invariant counting never fails and never waits; a known series costs one look-up, and a family that
          is full keeps counting what it knows and no more.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

SERIES_MAX = 10_000  # Of one family: who asks for a new one beyond it is not counted.
TEXT = "text/plain; version=0.0.4; charset=utf-8"

Labels = tuple[str, ...]
Sample = tuple[str, Sequence[str], Labels, float]  # suffix of the name, names of labels, values


class Family(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def help(self) -> str: ...

    @property
    def kind(self) -> str: ...

    def samples(self) -> Iterable[Sample]: ...


class Counter:
    """Only rises. `labels` name what a series is known by, in the order of the text (by name)."""

    kind = "counter"

    def __init__(self, name: str, help: str, labels: Sequence[str] = ()) -> None:
        self.name, self.help, self._labels = name, help, tuple(labels)
        self.values: dict[Labels, float] = {} if labels else {(): 0}

    def inc(self, labels: Labels = (), by: float = 1) -> None:
        values = self.values
        try:
            values[labels] += by
        except KeyError:
            if len(values) < SERIES_MAX:
                values[labels] = by

    def forget(self, label: str, value: str) -> None:
        """Let go of every series of something that is gone."""
        at = self._labels.index(label)
        self.values = {labels: n for labels, n in self.values.items() if labels[at] != value}

    def samples(self) -> Iterator[Sample]:
        for labels, value in self.values.items():
            yield "", self._labels, labels, value


class Gauge:
    """What holds now, asked when it is told of: a value, or one for each series."""

    def __init__(
        self,
        name: str,
        help: str,
        read: Callable[[], float | Mapping[Labels, float]],
        labels: Sequence[str] = (),
        *,
        kind: str = "gauge",
    ) -> None:
        self.name, self.help, self.kind = name, help, kind
        self._labels, self._read = tuple(labels), read

    def samples(self) -> Iterator[Sample]:
        found = self._read()
        if not isinstance(found, Mapping):
            yield "", (), (), found
            return
        for labels, value in found.items():
            yield "", self._labels, labels, value


class Cell:
    """One series of a histogram, to be kept by who observes often."""

    __slots__ = ("_edges", "counts", "total")

    def __init__(self, edges: Sequence[float]) -> None:
        self._edges = edges
        self.counts = [0] * (len(edges) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self._edges, value)] += 1
        self.total += value

    def add(self, counts: Sequence[int], total: float) -> None:
        """Many observations at once."""
        own = self.counts
        for index, count in enumerate(counts):
            if count:
                own[index] += count
        self.total += total


class Histogram:
    kind = "histogram"

    def __init__(
        self, name: str, help: str, edges: Sequence[float], labels: Sequence[str] = ()
    ) -> None:
        self.name, self.help, self._labels = name, help, tuple(labels)
        self.edges = tuple(edges)
        self._les = (*(number(edge) for edge in self.edges), "+Inf")
        self.cells: dict[Labels, Cell] = {}
        self._spare = Cell(self.edges)  # Of what finds no room: nobody reads it.
        if not labels:
            self.cell(())

    def cell(self, labels: Labels) -> Cell:
        found = self.cells.get(labels)
        if found is None:
            if len(self.cells) >= SERIES_MAX:
                return self._spare
            found = self.cells[labels] = Cell(self.edges)
        return found

    def adopt(self, labels: Labels, cell: Cell) -> None:
        """Tell of `cell`, which somebody else observes, as this series."""
        self.cells[labels] = cell

    def observe(self, value: float, labels: Labels = ()) -> None:
        self.cell(labels).observe(value)

    def samples(self) -> Iterator[Sample]:
        bounded = (*self._labels, "le")
        for labels, cell in self.cells.items():
            running = 0
            for edge, count in zip(self._les, cell.counts, strict=True):
                running += count
                yield "_bucket", bounded, (*labels, edge), running
            yield "_sum", self._labels, labels, cell.total
            yield "_count", self._labels, labels, running


def text(families: Iterable[Family]) -> bytes:
    """Prometheus' text form, families by name."""
    lines: list[str] = []
    for family in sorted(families, key=lambda one: one.name):
        lines.append(f"# HELP {family.name} {_escaped(family.help)}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        for suffix, names, values, value in family.samples():
            pairs = ",".join(
                f'{name}="{_quoted(said)}"' for name, said in zip(names, values, strict=True)
            )
            braced = f"{{{pairs}}}" if pairs else ""
            lines.append(f"{family.name}{suffix}{braced} {number(value)}")
    return ("\n".join(lines) + "\n").encode()


def number(value: float) -> str:
    """As Go writes it: whole numbers without a point."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return repr(float(value))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')


def exponential(first: float, factor: float, count: int) -> tuple[float, ...]:
    """Edges that grow by `factor`."""
    return tuple(first * factor**power for power in range(count))
