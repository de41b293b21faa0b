"""Quantities, semantic versions, named formats, and keys of JSON patches."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import total_ordering
from typing import Any, ClassVar

from busk8s.api import meta, quantity
from busk8s.api.cel import times, types
from busk8s.api.cel.errors import CelEvalError
from busk8s.api.cel.library.network import parse_url
from busk8s.api.cel.library.standard import by_first, tenth
from busk8s.api.cel.signatures import Overload, declare
from busk8s.api.cel.types import CelType
from busk8s.api.cel.values import NONE, Optional, size_of

TEXT_MAX = 1024  # of a quantity or a version


def _valid(parse: Callable[..., Any]) -> Callable[..., bool]:
    def test(*args: Any) -> bool:
        try:
            parse(*args)
        except CelEvalError:
            return False
        return True

    return test


# ---- quantities ----


@dataclass(frozen=True, slots=True)
class Quantity:
    exact: Fraction
    cel_type: ClassVar[CelType] = types.opaque("kubernetes.Quantity")


def _quantity(text: str) -> Quantity:
    try:
        if len(text) > TEXT_MAX:
            raise quantity.QuantityError
        return Quantity(quantity.parse(text))
    except quantity.QuantityError:
        raise CelEvalError(
            "quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        ) from None


def _as_integer(q: Quantity) -> int:
    if q.exact.denominator != 1 or not -(2**63) <= q.exact < 2**63:
        raise CelEvalError("cannot convert value to integer")
    return int(q.exact)


def _is_integer(q: Quantity) -> bool:
    return q.exact.denominator == 1 and -(2**63) <= q.exact < 2**63


def _sign(q: Quantity) -> int:
    return (q.exact > 0) - (q.exact < 0)


def _compare(a: Quantity, b: Quantity) -> int:
    return (a.exact > b.exact) - (a.exact < b.exact)


_Q = "kubernetes.Quantity"
_QUANTITIES = (
    declare(f"quantity::string -> {_Q}", _quantity, by_first),
    declare("isQuantity::string -> bool", _valid(_quantity), by_first),
    declare(f".sign::{_Q} -> int", _sign),
    declare(f".isInteger::{_Q} -> bool", _is_integer),
    declare(f".asInteger::{_Q} -> int", _as_integer),
    declare(f".asApproximateFloat::{_Q} -> double", lambda q: float(q.exact)),
    declare(f".add::{_Q},{_Q} -> {_Q}", lambda a, b: Quantity(a.exact + b.exact)),
    declare(f".add::{_Q},int -> {_Q}", lambda a, b: Quantity(a.exact + b)),
    declare(f".sub::{_Q},{_Q} -> {_Q}", lambda a, b: Quantity(a.exact - b.exact)),
    declare(f".sub::{_Q},int -> {_Q}", lambda a, b: Quantity(a.exact - b)),
    declare(f".isLessThan::{_Q},{_Q} -> bool", lambda a, b: a.exact < b.exact),
    declare(f".isGreaterThan::{_Q},{_Q} -> bool", lambda a, b: a.exact > b.exact),
    declare(f".compareTo::{_Q},{_Q} -> int", _compare),
)


# ---- semantic versions ----

_NUMBER = r"(0|[1-9]\d{0,18})"
_TAIL = r"(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?"
_VERSION = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}{_TAIL}\Z", re.ASCII)
_LOOSE = re.compile(
    rf"v?0*(\d{{1,19}})(?:\.0*(\d{{1,19}}))?(?:\.0*(\d{{1,19}}))?{_TAIL}\Z", re.ASCII
)


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Semver:
    major: int
    minor: int
    patch: int
    before: tuple[str, ...] = ()
    cel_type: ClassVar[CelType] = types.opaque("kubernetes.Semver")

    def _key(self) -> tuple[Any, ...]:
        parts = tuple((0, int(p), "") if p.isdigit() else (1, 0, p) for p in self.before)
        return (self.major, self.minor, self.patch, not self.before, parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Semver) and self._key() == other._key()

    def __lt__(self, other: Semver) -> bool:
        return self._key() < other._key()

    def __hash__(self) -> int:
        return hash(self._key())


def _semver(text: str, normalize: bool = False) -> Semver:
    found = (_LOOSE if normalize else _VERSION).match(text) if len(text) <= TEXT_MAX else None
    before = tuple(found[4].split(".")) if found and found[4] else ()
    wrong = [p for p in before if not p or (p.isdigit() and len(p) > 1 and p[0] == "0")]
    if found is None or wrong or any(len(p) > 19 for p in before if p.isdigit()):
        raise CelEvalError(
            f'parse error during conversion from string: invalid version "{text[:64]}"'
        )
    return Semver(int(found[1]), int(found[2] or 0), int(found[3] or 0), before)


_S = "kubernetes.Semver"
_VERSIONS = (
    declare(f"semver::string -> {_S}", _semver, by_first),
    declare(f"semver::string,bool -> {_S}", _semver, by_first),
    declare("isSemver::string -> bool", _valid(_semver), by_first),
    declare("isSemver::string,bool -> bool", _valid(_semver), by_first),
    declare(f".major::{_S} -> int", lambda v: v.major),
    declare(f".minor::{_S} -> int", lambda v: v.minor),
    declare(f".patch::{_S} -> int", lambda v: v.patch),
    declare(f".isLessThan::{_S},{_S} -> bool", lambda a, b: a < b),
    declare(f".isGreaterThan::{_S},{_S} -> bool", lambda a, b: a > b),
    declare(f".compareTo::{_S},{_S} -> int", lambda a, b: (a > b) - (a < b)),
)


# ---- named formats ----

Errors = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Format:
    name: str
    errors: Errors
    regex_size: int
    cel_type: ClassVar[CelType] = types.opaque("kubernetes.NamedFormat")


def _prefix(errors: Errors) -> Errors:
    """Of a name that more is appended to: it may end in a dash."""
    return lambda text: errors(text[:-1] + "a" if text.endswith("-") else text)


def _by_parser(parse: Callable[[str], Any], why: str) -> Errors:
    def errors(text: str) -> Sequence[str]:
        try:
            parse(text)
        except (CelEvalError, ValueError):
            return (why,)
        return ()

    return errors


def _by_pattern(pattern: str, why: str) -> Errors:
    made = re.compile(pattern)
    return lambda text: () if len(text) <= 64 and made.fullmatch(text) else (why,)


def _base64(text: str) -> bytes:
    made = b64decode(text, validate=True)
    if b64encode(made).decode() != text:
        raise ValueError
    return made


def _date(text: str) -> int:
    if len(text) != 10:
        raise ValueError
    return times.parse_timestamp(text)


def _datetime(text: str) -> int:
    if len(text) < 20:
        raise ValueError
    return times.parse_timestamp(text)


_UUID = r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"
_FORMATS = (
    Format("dns1123Label", meta.label_errors, 30),
    Format("dns1123Subdomain", meta.subdomain_errors, 60),
    Format("dns1035Label", meta.dns1035_errors, 30),
    Format("qualifiedName", meta.qualified_name_errors, 60),
    Format("dns1123LabelPrefix", _prefix(meta.label_errors), 30),
    Format("dns1123SubdomainPrefix", _prefix(meta.subdomain_errors), 60),
    Format("dns1035LabelPrefix", _prefix(meta.dns1035_errors), 30),
    Format("labelValue", meta.label_value_errors, 40),
    Format("uri", _by_parser(parse_url, "invalid URI for request"), 1000),
    Format("uuid", _by_pattern(_UUID, "does not match the UUID format"), 36),
    Format("byte", _by_parser(_base64, "invalid base64"), 1000),
    Format("date", _by_parser(_date, "invalid date"), 10),
    Format("datetime", _by_parser(_datetime, "invalid datetime"), 40),
)
_NAMED = {f.name: f for f in _FORMATS}
FORMAT_TEXT_MAX = 100_000


def _validate(form: Format, text: str) -> Optional:
    found = list(form.errors(text)) if len(text) <= FORMAT_TEXT_MAX else ["too long"]
    return Optional(True, found) if found else NONE


def _validate_cost(values: Sequence[Any], _: Any) -> int:
    regex_size: int = values[0].regex_size
    return tenth(1 + size_of(values[1])) * ((regex_size + 3) // 4)


def _named(name: str) -> Optional:
    found = _NAMED.get(name)
    return NONE if found is None else Optional(True, found)


def _constant(value: Format) -> Callable[[], Format]:
    return lambda: value


_F = "kubernetes.NamedFormat"
_NAMED_FORMATS = (
    *(declare(f"format.{f.name}:: -> {_F}", _constant(f)) for f in _FORMATS),
    declare(f"format.named::string -> optional({_F})", _named),
    declare(f".validate::{_F},string -> optional(list(string))", _validate, _validate_cost),
)


def _escape_key(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


OVERLOADS: tuple[Overload, ...] = (
    *_QUANTITIES,
    *_VERSIONS,
    *_NAMED_FORMATS,
    declare("jsonpatch.escapeKey::string -> string", _escape_key, by_first),
)
