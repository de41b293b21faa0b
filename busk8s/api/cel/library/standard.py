"""The language's own operators, conversions and functions.

Owns      arithmetic in 64 bits, comparison across numbers, conversions, calendar fields.
Leaves    equality, logic and indexing, which the planner does itself.
Invariant no result is outside its type: overflow is an error.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from busk8s.api.cel.errors import CelEvalError, CostExceeded
from busk8s.api.cel.folds import MADE_MAX
from busk8s.api.cel.signatures import Cost, Overload, declare
from busk8s.api.cel.times import INT_MAX, NANOS, in_years, parse_duration, parse_timestamp
from busk8s.api.cel.values import (
    COMPARED_MAX,
    NONE,
    Duration,
    Optional,
    Timestamp,
    TypeValue,
    Uint,
    equal,
    size_of,
    type_name,
)


def tenth(size: int) -> int:
    """What going through so many characters costs."""
    return (size + 9) // 10


def by_first(values: Sequence[Any], _: Any) -> int:
    return tenth(size_of(values[0]))


def by_both(values: Sequence[Any], _: Any) -> int:
    return tenth(size_of(values[0]) + size_of(values[1]))


def by_shorter(values: Sequence[Any], _: Any) -> int:
    return tenth(min(size_of(values[0]), size_of(values[1])))


def by_product(values: Sequence[Any], _: Any) -> int:
    return tenth(size_of(values[0])) * tenth(size_of(values[1]))


def by_list(values: Sequence[Any], _: Any) -> int:
    return size_of(values[1])


# ---- numbers ----


def _int(value: int) -> int:
    if not -INT_MAX - 1 <= value <= INT_MAX:
        raise CelEvalError("integer overflow")
    return value


def _uint(value: int) -> Uint:
    if not 0 <= value <= 2 * INT_MAX + 1:
        raise CelEvalError("unsigned integer overflow")
    return Uint(value)


def _duration(value: int) -> Duration:
    if not -INT_MAX - 1 <= value <= INT_MAX:
        raise CelEvalError("integer overflow")
    return Duration(value)


def _timestamp(value: int) -> Timestamp:
    return Timestamp(in_years(value))


def _quotient(a: int, b: int) -> int:
    if b == 0:
        raise CelEvalError("division by zero")
    found = abs(a) // abs(b)
    return found if (a < 0) == (b < 0) else -found


def _remainder(a: int, b: int) -> int:
    if b == 0:
        raise CelEvalError("modulus by zero")
    return a - b * _quotient(a, b)


def _divide(a: float, b: float) -> float:
    if b == 0:
        return (
            math.nan
            if a == 0 or math.isnan(a)
            else math.copysign(math.inf, a) * math.copysign(1, b)
        )
    return a / b


def _joined(a: list[Any], b: list[Any]) -> list[Any]:
    if len(a) + len(b) > MADE_MAX:
        raise CostExceeded("operation cancelled: actual cost limit exceeded")
    return a + b


def _arithmetic() -> list[Overload]:
    found = []
    exact: dict[str, Callable[[Any, Any], Any]] = {
        "+": operator.add,
        "-": operator.sub,
        "*": operator.mul,
        "/": _quotient,
        "%": _remainder,
    }
    for sign, of in exact.items():
        found.append(declare(f"_{sign}_::int,int -> int", _in(_int, of)))
        found.append(declare(f"_{sign}_::uint,uint -> uint", _in(_uint, of)))
    for sign, real in (
        ("+", operator.add),
        ("-", operator.sub),
        ("*", operator.mul),
        ("/", _divide),
    ):
        found.append(declare(f"_{sign}_::double,double -> double", real))
    times: list[tuple[str, Callable[[int], Any], Callable[[Any, Any], Any]]] = [
        ("_+_::timestamp,duration -> timestamp", _timestamp, operator.add),
        ("_+_::duration,timestamp -> timestamp", _timestamp, operator.add),
        ("_+_::duration,duration -> duration", _duration, operator.add),
        ("_-_::timestamp,timestamp -> duration", _duration, operator.sub),
        ("_-_::timestamp,duration -> timestamp", _timestamp, operator.sub),
        ("_-_::duration,duration -> duration", _duration, operator.sub),
    ]
    found += [declare(signature, _in(make, of)) for signature, make, of in times]
    return [
        *found,
        declare("_+_::string,string -> string", operator.add, by_both, "add_string"),
        declare("_+_::bytes,bytes -> bytes", operator.add, by_both, "add_bytes"),
        declare("_+_::list(A),list(A) -> list(A)", _joined, None, "add_list"),
        declare("-_::int -> int", lambda a: _int(-a)),
        declare("-_::double -> double", operator.neg),
        declare("!_::bool -> bool", _not),
    ]


def _in(make: Callable[[int], Any], of: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda a, b: make(of(int(a), int(b)))


def _not(value: Any) -> bool:
    if type(value) is not bool:
        raise CelEvalError("no such overload")
    return not value


def _comparisons() -> list[Overload]:
    signs: dict[str, Callable[[Any, Any], Any]] = {
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
    }
    numbers = ("int", "uint", "double")
    pairs = [(a, b, None) for a in numbers for b in numbers]
    same: list[tuple[str, str, Cost | None]] = [
        (a, a, by_shorter if a in ("string", "bytes") else None)
        for a in ("bool", "string", "bytes", "timestamp", "duration")
    ]
    return [
        declare(f"_{sign}_::{a},{b} -> bool", of, cost, f"compare_{a}")
        for sign, of in signs.items()
        for a, b, cost in [*pairs, *same]
    ]


# ---- membership and size ----


def _in_list(value: Any, items: list[Any]) -> bool:
    if len(items) > COMPARED_MAX:
        raise CostExceeded("operation cancelled: actual cost limit exceeded")
    return any(equal(value, item) for item in items)


def _in_map(value: Any, items: dict[Any, Any]) -> bool:
    return value in items


_CONTAINERS = (
    declare("@in::A,list(A) -> bool", _in_list, by_list, "in_list"),
    declare("@in::A,map(A,B) -> bool", _in_map),
    *(
        declare(text, len)
        for of in ("string", "bytes", "list(A)", "map(A,B)")
        for text in (f"size::{of} -> int", f".size::{of} -> int")
    ),
    # The planner does these itself; here are their types.
    *(
        declare(text, lambda *_: None, None, identity)
        for text, identity in (
            ("_&&_::bool,bool -> bool", "logical_and"),
            ("_||_::bool,bool -> bool", "logical_or"),
            ("_?_:_::bool,A,A -> A", "conditional"),
            ("_==_::A,A -> bool", "equals"),
            ("_!=_::A,A -> bool", "equals"),
            ("_[_]::list(A),int -> A", "index_list"),
            ("_[_]::map(A,B),A -> B", "index_map"),
            ("_[_]::optional(list(A)),int -> optional(A)", ""),
            ("_[_]::optional(map(A,B)),A -> optional(B)", ""),
            ("@not_strictly_false::bool -> bool", ""),
            ("cel.@mapInsert::map(A,B),A,B -> map(A,B)", ""),
            ("cel.@mapInsert::map(A,B),map(A,B) -> map(A,B)", ""),
        )
    ),
)


# ---- conversions ----


def _int_of_double(value: float) -> int:
    if math.isnan(value) or math.isinf(value) or not -(2.0**63) < value < 2.0**63:
        raise CelEvalError("integer overflow")
    return int(value)


def _uint_of_double(value: float) -> Uint:
    if math.isnan(value) or math.isinf(value) or not 0 <= value < 2.0**64:
        raise CelEvalError("unsigned integer overflow")
    return Uint(int(value))


def _digits(text: str) -> int:
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 25:
        raise CelEvalError(f'strconv.ParseInt: parsing "{text[:64]}": invalid syntax')
    return int(text)


def _double_of(text: str) -> float:
    if len(text) > 400 or "_" in text or text != text.strip():
        raise CelEvalError(f'strconv.ParseFloat: parsing "{text[:64]}": invalid syntax')
    try:
        return float(text)
    except ValueError:
        raise CelEvalError(f'strconv.ParseFloat: parsing "{text}": invalid syntax') from None


def _bool_of(text: str) -> bool:
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise CelEvalError(f'strconv.ParseBool: parsing "{text[:64]}": invalid syntax')


def _string_of_bytes(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise CelEvalError("invalid UTF-8 in bytes, cannot convert to string") from None


def show_double(value: float) -> str:
    """The shortest form, as Go's %g gives it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text = "".join(map(str, digits))
    power = int(exponent) + len(text) - 1
    minus = "-" if sign else ""
    if power < -4 or power >= 21:
        rest = f".{text[1:]}" if len(text) > 1 else ""
        return f"{minus}{text[0]}{rest}e{'-' if power < 0 else '+'}{abs(power):02d}"
    return minus + format(abs(Decimal(repr(value)).normalize()), "f")


def _same(value: Any) -> Any:
    return value


_CONVERSIONS = (
    declare("int::int -> int", _same),
    declare("int::uint -> int", lambda v: _int(int(v))),
    declare("int::double -> int", _int_of_double),
    declare("int::string -> int", lambda v: _int(_digits(v))),
    declare("int::timestamp -> int", lambda v: int(v) // NANOS),
    declare("int::duration -> int", int),
    declare("uint::uint -> uint", _same),
    declare("uint::int -> uint", _uint),
    declare("uint::double -> uint", _uint_of_double),
    declare("uint::string -> uint", lambda v: _uint(_digits(v))),
    declare("double::double -> double", _same),
    declare("double::int -> double", float),
    declare("double::uint -> double", float),
    declare("double::string -> double", _double_of),
    declare("string::string -> string", _same),
    declare("string::bool -> string", lambda v: "true" if v else "false"),
    declare("string::int -> string", str),
    declare("string::uint -> string", str),
    declare("string::double -> string", show_double),
    declare("string::bytes -> string", _string_of_bytes, by_first, "bytes_to_string"),
    declare("string::timestamp -> string", str),
    declare("string::duration -> string", str),
    declare("bytes::bytes -> bytes", _same),
    declare("bytes::string -> bytes", str.encode, by_first, "string_to_bytes"),
    declare("bool::bool -> bool", _same),
    declare("bool::string -> bool", _bool_of),
    declare("timestamp::timestamp -> timestamp", _same),
    declare("timestamp::string -> timestamp", lambda v: Timestamp(parse_timestamp(v))),
    declare("timestamp::int -> timestamp", lambda v: _timestamp(v * NANOS)),
    declare("duration::duration -> duration", _same),
    declare("duration::string -> duration", lambda v: Duration(parse_duration(v))),
    declare("duration::int -> duration", _duration),
    declare("dyn::A -> dyn", _same),
    declare("type::A -> type(A)", lambda v: TypeValue(_type_name(v))),
)


def _type_name(value: Any) -> str:
    return "type" if isinstance(value, TypeValue) else type_name(value)


# ---- strings ----

_STRINGS = (
    declare(".startsWith::string,string -> bool", str.startswith, by_first, "starts_with"),
    declare(".endsWith::string,string -> bool", str.endswith, by_first, "ends_with"),
    declare(".contains::string,string -> bool", operator.contains, by_product, "contains"),
)


# ---- calendar ----


def _zone(name: str) -> tzinfo:
    sign = name[:1]
    hours, colon, minutes = name.removeprefix("+").removeprefix("-").partition(":")
    if colon and hours.isdigit() and minutes.isdigit() and len(name) <= 6:
        if int(hours) > 23 or int(minutes) > 59:
            raise CelEvalError(f"unknown time zone {name}")
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-offset if sign == "-" else offset)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CelEvalError(f"unknown time zone {name[:64]}") from None


def _at(value: Timestamp, zone: str) -> datetime:
    try:
        return value.when().astimezone(_zone(zone))
    except OverflowError:
        raise CelEvalError("timestamp overflow") from None


_CALENDAR: dict[str, Callable[[datetime], int]] = {
    "getFullYear": lambda d: d.year,
    "getMonth": lambda d: d.month - 1,
    "getDate": lambda d: d.day,
    "getDayOfMonth": lambda d: d.day - 1,
    "getDayOfWeek": lambda d: d.isoweekday() % 7,
    "getDayOfYear": lambda d: d.timetuple().tm_yday - 1,
    "getHours": lambda d: d.hour,
    "getMinutes": lambda d: d.minute,
    "getSeconds": lambda d: d.second,
}


def _calendar() -> list[Overload]:
    found = []
    for name, of in _CALENDAR.items():
        found.append(declare(f".{name}::timestamp -> int", _of_utc(of)))
        found.append(declare(f".{name}::timestamp,string -> int", _of_zone(of)))
    spans = {"getHours": 3600 * NANOS, "getMinutes": 60 * NANOS, "getSeconds": NANOS}
    for name, unit in spans.items():
        found.append(declare(f".{name}::duration -> int", _whole(unit)))
    found.append(
        declare(".getMilliseconds::duration -> int", lambda v: _quotient(v, 1_000_000) % 1000)
    )
    found.append(declare(".getMilliseconds::timestamp -> int", _millis))
    found.append(declare(".getMilliseconds::timestamp,string -> int", lambda v, _: _millis(v)))
    return found


def _of_utc(of: Callable[[datetime], int]) -> Callable[[Timestamp], int]:
    return lambda value: of(value.when())


def _of_zone(of: Callable[[datetime], int]) -> Callable[[Timestamp, str], int]:
    return lambda value, zone: of(_at(value, zone))


def _whole(unit: int) -> Callable[[int], int]:
    return lambda value: _quotient(int(value), unit)


def _millis(value: int) -> int:
    return int(value) % NANOS // 1_000_000


# ---- optionals ----


def _value(it: Optional) -> Any:
    if not it.present:
        raise CelEvalError("optional.none() dereference")
    return it.value


def _non_zero(value: Any) -> Optional:
    empty = value is None or value is False or (isinstance(value, (int, float)) and value == 0)
    sized = isinstance(value, (str, bytes, list, dict)) and not value
    return NONE if empty or sized else Optional(True, value)


_OPTIONALS = (
    declare("optional.of::A -> optional(A)", lambda v: Optional(True, v)),
    declare("optional.ofNonZeroValue::A -> optional(A)", _non_zero),
    declare("optional.none:: -> optional(A)", lambda: NONE),
    declare(".hasValue::optional(A) -> bool", lambda v: v.present),
    declare(".value::optional(A) -> A", _value),
    declare(".or::optional(A),optional(A) -> optional(A)", lambda a, b: a if a.present else b),
    declare(".orValue::optional(A),A -> A", lambda a, b: a.value if a.present else b),
)

OVERLOADS: tuple[Overload, ...] = (
    *_arithmetic(),
    *_comparisons(),
    *_CONTAINERS,
    *_CONVERSIONS,
    *_STRINGS,
    *_calendar(),
    *_OPTIONALS,
)
