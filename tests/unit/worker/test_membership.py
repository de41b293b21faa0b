"""What a worker remembers of its join: whole, or damaged and said so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from busk8s.config import ConfigError
from busk8s.worker.joining import remembered

GOOD: dict[str, Any] = {
    "node": "n1", "host": "192.0.2.1", "requests": 1, "feed": 2, "heartbeats": 3,
    "server_key": "x" * 40,
}  # fmt: skip


def test_what_was_written_is_remembered(tmp_path: Path) -> None:
    assert remembered(tmp_path) is None
    (tmp_path / "membership.json").write_text(json.dumps(GOOD))
    found = remembered(tmp_path)
    assert found is not None
    assert found.endpoints.feed == "tcp://192.0.2.1:2"


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        json.dumps(GOOD | {"server_key": "q"}),
        json.dumps(GOOD | {"server_key": None}),
        json.dumps(GOOD | {"requests": "x"}),
        json.dumps(GOOD | {"node": 5}),
        json.dumps(GOOD | {"more": 1}),
    ],
)
def test_a_damaged_membership_is_refused_with_the_way_out(content: str, tmp_path: Path) -> None:
    (tmp_path / "membership.json").write_text(content)
    with pytest.raises(ConfigError, match="is damaged: remove it and join again"):
        remembered(tmp_path)
