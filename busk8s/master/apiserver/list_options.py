"""ListOptions: which combinations of query parameters are refused, with upstream's words.

Owns      the rules of resourceVersionMatch, sendInitialEvents and continue together.
Leaves    what the parameters mean (read, watching).
Source    apimachinery pkg/apis/meta/internalversion/validation.
"""

from __future__ import annotations

from busk8s import errors
from busk8s.api.request import Request

_MATCH, _SEND = "resourceVersionMatch", "sendInitialEvents"
_NOT_OLDER, _EXACT = "NotOlderThan", "Exact"


def check_list_options(request: Request) -> None:
    """Raises 422 with all that is wrong about a list."""
    query = request.query
    if _MATCH not in query and _SEND not in query:
        return
    match, version = request.param(_MATCH), request.param("resourceVersion")
    wrong: list[errors.Cause] = []
    if match:
        if not version:
            said = "resourceVersionMatch is forbidden unless resourceVersion is provided"
            wrong.append(_forbidden(_MATCH, said))
        wrong += _no_continue(request)
        if match not in (_EXACT, _NOT_OLDER):
            wrong.append(_unsupported(match, (_EXACT, _NOT_OLDER, "")))
        if match == _EXACT and version == "0":
            said = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            wrong.append(_forbidden(_MATCH, said))
    if _SEND in query:
        wrong.append(_forbidden(_SEND, "sendInitialEvents is forbidden for list"))
    _refuse(wrong)


def check_watch_options(request: Request) -> None:
    """Raises 422 with all that is wrong about a watch."""
    query = request.query
    if _MATCH not in query and _SEND not in query:
        return
    match = request.param(_MATCH)
    wrong: list[errors.Cause] = []
    if _SEND in query and match != _NOT_OLDER:
        said = f"sendInitialEvents requires setting resourceVersionMatch to {_NOT_OLDER}"
        wrong.append(_forbidden(_MATCH, said))
    if match:
        if _SEND not in query:
            said = (
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            )
            wrong.append(_forbidden(_MATCH, said))
        if match != _NOT_OLDER:
            wrong.append(_unsupported(match, (_NOT_OLDER,)))
        wrong += _no_continue(request)
    _refuse(wrong)


def _no_continue(request: Request) -> list[errors.Cause]:
    if not request.param("continue"):
        return []
    return [_forbidden(_MATCH, "resourceVersionMatch is forbidden when continue is provided")]


def _forbidden(field: str, said: str) -> errors.Cause:
    return errors.Cause("FieldValueForbidden", f"Forbidden: {said}", field)


def _unsupported(given: str, offered: tuple[str, ...]) -> errors.Cause:
    values = ", ".join(f'"{value}"' for value in offered)
    said = f'Unsupported value: "{given}": supported values: {values}'
    return errors.Cause("FieldValueNotSupported", said, _MATCH)


def _refuse(causes: list[errors.Cause]) -> None:
    if causes:
        raise errors.invalid("ListOptions", "", causes, group="meta.k8s.io")
