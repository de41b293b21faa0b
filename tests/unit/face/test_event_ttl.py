"""--event-ttl: durations as Go writes them."""

from __future__ import annotations

import pytest

from busk8s.audit_settings import AuditSettings, seconds


@pytest.mark.parametrize(
    ("text", "want"),
    [("1h", 3_600), ("1h0m0s", 3_600), ("90m", 5_400), ("1.5h", 5_400), ("250ms", 0.25)],
)
def test_a_duration_is_read(text: str, want: float) -> None:
    assert seconds(text) == want
    assert AuditSettings(event_ttl=text).event_ttl_s == want
    assert AuditSettings(event_ttl=text).wrong() == ""


@pytest.mark.parametrize("text", ["", "1", "h", "-1h", "1h ", "0s", "1d", "9" * 100 + "h"])
def test_what_is_none_is_refused_by_the_name_of_the_flag(text: str) -> None:
    assert "--event-ttl" in AuditSettings(event_ttl=text).wrong()
