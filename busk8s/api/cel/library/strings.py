"""String functions beyond the language's own: searching, cutting, replacing, `format`.

Invariant positions are code points; results are no longer than they are charged for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from busk8s.api.cel.errors import CelEvalError, CostExceeded
from busk8s.api.cel.library.standard import by_first, show_double, tenth
from busk8s.api.cel.signatures import Overload, declare
from busk8s.api.cel.values import Duration, Optional, Timestamp, TypeValue, Uint, size_of

TEXT_MAX = 4_000_000  # code points of a string that an expression makes


def _twice(values: Sequence[Any], _: Any) -> int:
    return tenth(2 * size_of(values[0]))


def _by_result(_: Sequence[Any], found: Any) -> int:
    return tenth(2 * size_of(found))


def _bounded(size: int) -> None:
    if size > TEXT_MAX:
        raise CostExceeded("operation cancelled: actual cost limit exceeded")


def _char_at(text: str, at: int) -> str:
    if not 0 <= at <= len(text):
        raise CelEvalError(f"index out of range: {at}")
    return text[at : at + 1]


def _index_of(text: str, part: str, start: int = 0) -> int:
    if part == "":
        return start
    if not 0 <= start < len(text) + (not text):
        raise CelEvalError(f"index out of range: {start}")
    return text.find(part, start)


def _last_index_of(text: str, part: str, start: int | None = None) -> int:
    if start is None:
        return len(text) if part == "" else text.rfind(part)
    if part == "":
        return start
    if not 0 <= start < len(text) + (not text):
        raise CelEvalError(f"index out of range: {start}")
    return text.rfind(part, 0, start + len(part))


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= start <= len(text):
        raise CelEvalError(f"index out of range: {start}")
    if not 0 <= stop <= len(text):
        raise CelEvalError(f"index out of range: {stop}")
    if start > stop:
        raise CelEvalError(f"invalid substring range. start: {start}, end: {stop}")
    return text[start:stop]


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    times = text.count(old) if old else len(text) + 1
    times = times if count < 0 else min(count, times)
    _bounded(len(text) + times * max(0, len(new) - len(old)))
    return text.replace(old, new, count)


def _split(text: str, by: str, count: int = -1) -> list[str]:
    if count == 0:
        return []
    if count == 1:
        return [text]
    if by == "":
        letters = list(text)
        return letters if count < 0 else [*letters[: count - 1], "".join(letters[count - 1 :])]
    return text.split(by) if count < 0 else text.split(by, count - 1)


def _join(parts: list[Any], by: str = "") -> str:
    if not all(isinstance(p, str) for p in parts):
        raise CelEvalError("no such overload")
    _bounded(sum(map(len, parts)) + len(by) * len(parts))
    return by.join(parts)


def _lower(text: str) -> str:
    return "".join(c.lower() if c.isascii() else c for c in text)


def _upper(text: str) -> str:
    return "".join(c.upper() if c.isascii() else c for c in text)


_ESCAPED = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v",
    "\\": "\\\\", '"': '\\"',
}  # fmt: skip


def quote(text: str) -> str:
    return '"' + "".join(_ESCAPED.get(c, c) for c in text) + '"'


# ---- format ----


def _format(text: str, args: list[Any]) -> str:
    made: list[str] = []
    size, at, used = 0, 0, 0
    while at < len(text):
        if text[at] != "%":
            stop = text.find("%", at)
            stop = len(text) if stop < 0 else stop
            made.append(text[at:stop])
            at = stop
        elif text.startswith("%%", at):
            made.append("%")
            at += 2
        else:
            at, verb, precision = _clause(text, at + 1)
            if used >= len(args):
                raise CelEvalError(f"error during formatting: index {used} out of range")
            made.append(_shown(verb, precision, args[used]))
            used += 1
        size += len(made[-1])
        _bounded(size)
    return "".join(made)


def _clause(text: str, at: int) -> tuple[int, str, int | None]:
    precision: int | None = None
    if text[at : at + 1] == ".":
        start = at = at + 1
        while text[at : at + 1].isdigit() and at - start < 4:
            at += 1
        precision = min(int(text[start:at] or "0"), 1000)
    if at >= len(text):
        raise CelEvalError("error during formatting: unexpected end of string")
    return at + 1, text[at], precision


def _shown(verb: str, precision: int | None, value: Any) -> str:
    show = _VERBS.get(verb)
    if show is None:
        raise CelEvalError(
            f"error during formatting: could not parse formatting clause: unrecognized "
            f'formatting clause "{verb}"'
        )
    try:
        return show(value, precision)
    except (ValueError, TypeError, OverflowError):
        raise CelEvalError(
            f"error during formatting: {verb} clause cannot be used on this value"
        ) from None


def plain(value: Any, _: int | None = None) -> str:
    """%s."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Timestamp() | Duration():
            return str(value)
        case float():
            return show_double(value)
        case bytes():
            return value.decode(errors="replace")
        case TypeValue():
            return value.name
        case list():
            return "[" + ", ".join(map(plain, value)) + "]"
        case dict():
            return (
                "{" + ", ".join(sorted(f"{plain(k)}: {plain(v)}" for k, v in value.items())) + "}"
            )
        case str() | int():
            return str(value)
        case Optional():
            raise ValueError
    raise ValueError


def _whole(value: Any, _: int | None) -> str:
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return show_double(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError
    return str(int(value))


def _fixed(value: Any, precision: int | None) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError
    return f"{float(value):.{6 if precision is None else precision}f}"


def _scientific(value: Any, precision: int | None) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError
    return f"{float(value):.{6 if precision is None else precision}e}"


def _based(base: str) -> Callable[[Any, int | None], str]:
    def show(value: Any, _: int | None) -> str:
        if isinstance(value, bool):
            if base == "b":
                return "1" if value else "0"
            raise ValueError
        if isinstance(value, (int, Uint)):
            return format(int(value), base)
        if base in "xX" and isinstance(value, (str, bytes)):
            found = (value.encode() if isinstance(value, str) else value).hex()
            return found.upper() if base == "X" else found
        raise ValueError

    return show


_VERBS: dict[str, Callable[[Any, int | None], str]] = {
    "s": plain,
    "d": _whole,
    "f": _fixed,
    "e": _scientific,
    "b": _based("b"),
    "o": _based("o"),
    "x": _based("x"),
    "X": _based("X"),
}

OVERLOADS: tuple[Overload, ...] = (
    declare(".charAt::string,int -> string", _char_at),
    declare(".indexOf::string,string -> int", _index_of, by_first),
    declare(".indexOf::string,string,int -> int", _index_of, by_first),
    declare(".lastIndexOf::string,string -> int", _last_index_of, by_first),
    declare(".lastIndexOf::string,string,int -> int", _last_index_of, by_first),
    declare(".lowerAscii::string -> string", _lower, by_first),
    declare(".upperAscii::string -> string", _upper, by_first),
    declare(".replace::string,string,string -> string", _replace, _twice),
    declare(".replace::string,string,string,int -> string", _replace, _twice),
    declare(".split::string,string -> list(string)", _split, _twice),
    declare(".split::string,string,int -> list(string)", _split, _twice),
    declare(".substring::string,int -> string", _substring, by_first),
    declare(".substring::string,int,int -> string", _substring, by_first),
    declare(".trim::string -> string", str.strip, by_first),
    declare(".join::list(string) -> string", _join, _by_result),
    declare(".join::list(string),string -> string", _join, _by_result),
    declare(".format::string,list(dyn) -> string", _format, _by_result, "format"),
    declare("strings.quote::string -> string", quote, by_first),
)
