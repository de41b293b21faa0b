"""What a component asks of the API server: rest_client_*.

Owns      the families, and counting on the way of a request.
Leaves    the requests themselves (rest and the clients).
"""

from __future__ import annotations

from collections.abc import Sequence

from busk8s.clock import Clock
from busk8s.metrics import Counter, Family, Histogram

REQUEST_S = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
HOST = "busk8s"  # The one API server there is, whatever the way to it.


class RequestCounts:
    def __init__(self, clock: Clock) -> None:
        self.now = clock.monotonic
        self._total = Counter(
            "rest_client_requests_total", "Requests by how they ended.", ("code", "host", "method")
        )
        self._times = Histogram(
            "rest_client_request_duration_seconds", "Time to the answer.", REQUEST_S,
            ("host", "verb"),
        )  # fmt: skip

    def count(self, method: str, status: int, seconds: float) -> None:
        self._total.inc((str(status), HOST, method))
        self._times.observe(seconds, (HOST, method))

    def families(self) -> Sequence[Family]:
        return (self._total, self._times)
