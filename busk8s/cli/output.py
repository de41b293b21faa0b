"""What commands say: data to stdout, talk to stderr; colours and tables on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType


def data(text: str) -> None:
    """What was asked for: may be piped."""
    print(text, flush=True)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def fail(text: str) -> None:
    """`error:` in red where there is colour."""
    if sys.stderr.isatty():
        from rich.console import Console

        console = Console(stderr=True)
        console.print("[bold red]error:[/]", end=" ")
        console.print(text, markup=False, highlight=False)
    else:
        print(f"error: {text}", file=sys.stderr, flush=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """rich on a terminal; kubectl-like columns in a pipe, so that awk can read them."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table

        made = Table(*columns, box=None, pad_edge=False, header_style="bold")
        for row in rows:
            made.add_row(*row)
        Console().print(made)
        return
    widths = [max(len(r[i]) for r in [columns, *rows]) for i in range(len(columns))]
    for row in [columns, *rows]:
        print("   ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())


class Waiting:
    """`with Waiting("starting"):` shows that something goes on, on stderr."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._status: object | None = None

    def __enter__(self) -> Waiting:
        if sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status(self._what)
            self._status.start()
        else:
            say(f"{self._what} ...")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._status is not None:
            self._status.stop()  # type: ignore[attr-defined]  # rich's Status
