"""/healthz, /livez, /readyz: what is checked, and the text that says so.

Owns      the list of checks, their form in answers, how often they held.
Leaves    what a check looks at (given as a function), who may ask (authz).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from busk8s.api.request import Request, Response
from busk8s.metrics import Counter, Family, Gauge, Labels

# None: well. Else why not, for the log; answers say `reason withheld`, as upstream, since
# anyone may ask.
Check = Callable[[], str | None]
TEXT = "text/plain; charset=utf-8"


def well() -> str | None:
    return None


class Health:
    """`checks` hold for all three; `ready` ones are /readyz's alone."""

    def __init__(self, checks: Mapping[str, Check], ready: Mapping[str, Check]) -> None:
        base = {"ping": well, **checks}
        self._checks = {"healthz": base, "livez": base, "readyz": {**base, **ready}}
        self._ran = Counter(
            "kubernetes_healthchecks_total", "Checks by what they said.", ("name", "status", "type")
        )

    def families(self) -> Sequence[Family]:
        """Those of /metrics/slis."""
        now = "What each check says now: 1 when all is well."
        return (self._ran, Gauge("kubernetes_healthcheck", now, self._now, ("name", "type")))

    def _now(self) -> dict[Labels, float]:
        return {
            (name, root): check() is None
            for root, checks in self._checks.items()
            for name, check in checks.items()
        }

    def _run(self, root: str, name: str, check: Check) -> str | None:
        failed = check()
        self._ran.inc((name, "success" if failed is None else "error", root))
        return failed

    def ready(self) -> bool:
        return all(check() is None for check in self._checks["readyz"].values())

    def answer(self, request: Request) -> Response | None:
        """None when the path is not a health path."""
        root, _, name = request.path.lstrip("/").partition("/")
        checks = self._checks.get(root)
        if checks is None or not request.path.startswith("/"):
            return None
        if name:
            check = checks.get(name)
            if check is None:
                return _text(404, "404 page not found\n")
            failed = self._run(root, name, check)
            return _text(200, "ok") if failed is None else _text(500, f"{name} check failed")
        excluded = request.query.get("exclude", [])
        lines, passed = self._all(root, checks, excluded)
        if passed and "verbose" not in request.query:
            return _text(200, "ok")
        ending = f"{root} check {'passed' if passed else 'failed'}\n"
        return _text(200 if passed else 500, "".join(lines) + ending)

    def _all(
        self, root: str, checks: Mapping[str, Check], excluded: Sequence[str]
    ) -> tuple[list[str], bool]:
        lines, passed = [], True
        for name, check in checks.items():
            if name in excluded:
                lines.append(f"[+]{name} excluded: ok\n")
            elif self._run(root, name, check) is None:
                lines.append(f"[+]{name} ok\n")
            else:
                lines.append(f"[-]{name} failed: reason withheld\n")
                passed = False
        unknown = [name for name in excluded if name not in checks]
        if unknown:
            said = ", ".join(f'"{name}"' for name in unknown)
            lines.append(f"warn: some health checks cannot be excluded: no matches for {said}\n")
        return lines, passed


def _text(status: int, text: str) -> Response:
    return Response(status, text.encode(), TEXT, (("X-Content-Type-Options", "nosniff"),))
