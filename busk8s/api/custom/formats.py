"""The formats of strings that upstream checks.

Owns      which formats count for which type, and each check.
Source    go-openapi's formats as the API server registers them, and Kubernetes' two names.
Invariant an unknown format is no restriction.
"""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections.abc import Callable, Mapping
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit

_ASCII = re.ASCII
_UUID = r"[0-9a-f]{8}-?[0-9a-f]{4}-?%s-?%s-?[0-9a-f]{12}"
_ANY4, _VARIANT = "[0-9a-f]{4}", "[89ab][0-9a-f]{3}"
_CARD = re.compile(
    r"(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}"
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})",
    _ASCII,
)
_CHANNEL = r"\s*(?:0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*"
_TIME = re.compile(r"(\d\d):(\d\d):(\d\d)(.\d+)?(z|[+-]\d\d:\d\d)", _ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", _ASCII)
_GO_DURATION = re.compile(r"[+-]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)", _ASCII)
_WORD_DURATION = re.compile(r"(\d+)\s*([A-Za-zµ]+)")
_UNITS = (
    ("ns", "nano"), ("us", "µs", "micro"), ("ms", "milli"), ("s", "sec"), ("m", "min"),
    ("h", "hr", "hour"), ("d", "day"), ("w", "wk", "week"),
)  # fmt: skip
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
HOSTNAME_BYTES_MAX = 255
LABEL_BYTES_MAX = 63
LONG_NAME_BYTES_MAX = 253


def _whole(pattern: str, flags: int = 0) -> Callable[[str], bool]:
    expression = re.compile(pattern, _ASCII | flags)
    return lambda text: expression.fullmatch(text) is not None


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        # Go knows a year 0, Python does not; 2000 has the same days.
        return text.startswith("0000") and _is_date("2000" + text[4:])
    return True


def _is_date_time(text: str) -> bool:
    day, _, rest = text.lower().partition("t")
    found = _TIME.fullmatch(rest.split("t")[0]) if _is_date(day) else None
    return bool(found and found[1] <= "23" and found[2] <= "59" and found[3] <= "59")


def _is_duration(text: str) -> bool:
    if _GO_DURATION.fullmatch(text):
        return True
    return any(
        unit == name or (name == names[-1] and unit.startswith(name))
        for _, word in _WORD_DURATION.findall(text)
        for unit in (word.lower(),)
        for names in _UNITS
        for name in names
    )


def _is_hostname(text: str) -> bool:
    if len(text.encode()) > HOSTNAME_BYTES_MAX or not text:
        return False
    parts = text.split(".")
    if any(len(part.encode()) > LABEL_BYTES_MAX or not _is_host_label(part) for part in parts):
        return False
    top = parts[-1]
    return len(parts) == 1 or (len(top) > 1 and top.isalpha())


def _is_host_label(part: str) -> bool:
    inner = part.replace("-", "")
    legal = all((each.isascii() and each.isalnum()) or _symbol(each) for each in inner)
    return bool(inner) and legal and not part.startswith("-") and not part.endswith("-")


def _symbol(character: str) -> bool:
    import unicodedata

    return not character.isascii() and unicodedata.category(character)[0] in "LS"


def _without_zeros(text: str) -> str:
    """Addresses may be written with leading zeros in their decimal parts."""
    return re.sub(r"(^|\.)0+(?=\d)", r"\1", text)


def _is_ipv4(text: str) -> bool:
    return "." in text and _address(_without_zeros(text) if ":" not in text else text)


def _is_ipv6(text: str) -> bool:
    return ":" in text and _address(text)


def _address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def _is_cidr(text: str) -> bool:
    address, slash, bits = text.partition("/")
    if not slash or not bits.isascii() or not bits.isdigit() or len(bits) > 3:
        return False
    v6 = ":" in address
    legal = _is_ipv6(address) if v6 else _is_ipv4(address)
    return legal and int(bits) <= (128 if v6 else 32)


def _is_mac(text: str) -> bool:
    for separator, width, counts in (
        (":", 2, (6, 8, 20)),
        ("-", 2, (6, 8, 20)),
        (".", 4, (3, 4, 10)),
    ):
        parts = text.split(separator)
        if len(parts) in counts:
            return all(re.fullmatch(rf"[0-9a-fA-F]{{{width}}}", part) for part in parts)
    return False


def _is_uri(text: str) -> bool:
    if not text or any(ord(each) < 0x21 or ord(each) == 0x7F for each in text):
        return False
    if text.startswith("/") or text == "*":
        return re.search(r"%(?![0-9a-fA-F]{2})", text) is None
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", text)
    return scheme is not None and re.search(r"%(?![0-9a-fA-F]{2})", text) is None


def _is_email(text: str) -> bool:
    _, address = parseaddr(text)
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain or domain.endswith(".") or domain.startswith("."):
        return False
    if address == text:
        return re.fullmatch(r"[^\s@<>()\[\],;:\\\"]+", local.strip('"') or "x") is not None and (
            ".." not in address and not local.startswith(".") and not local.endswith(".")
        )
    return text.rstrip().endswith(f"<{address}>") or "(" in text


def _is_card(text: str) -> bool:
    digits = re.sub("[^0-9]+", "", text)
    if not _CARD.fullmatch(digits):
        return False
    total = 0
    for at, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if at % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _is_isbn10(text: str) -> bool:
    digits = re.sub(r"[\s-]+", "", text)
    if not re.fullmatch("[0-9]{9}[0-9X]", digits):
        return False
    values = [10 if each == "X" else int(each) for each in digits]
    return sum((at + 1) * value for at, value in enumerate(values)) % 11 == 0


def _is_isbn13(text: str) -> bool:
    digits = re.sub(r"[\s-]+", "", text)
    if not re.fullmatch("[0-9]{13}", digits):
        return False
    total = sum(int(each) * (3 if at % 2 else 1) for at, each in enumerate(digits[:12]))
    return int(digits[12]) == (10 - total % 10) % 10


_FORMATS: Mapping[str, Callable[[str], bool]] = {
    "bsonobjectid": _whole("[0-9a-fA-F]{24}"),
    "uri": _is_uri,
    "email": _is_email,
    "hostname": _is_hostname,
    "ipv4": _is_ipv4,
    "ipv6": _is_ipv6,
    "cidr": _is_cidr,
    "mac": _is_mac,
    "uuid": _whole(_UUID % (_ANY4, _ANY4), re.IGNORECASE),
    "uuid3": _whole(_UUID % ("3[0-9a-f]{3}", _ANY4), re.IGNORECASE),
    "uuid4": _whole(_UUID % ("4[0-9a-f]{3}", _VARIANT), re.IGNORECASE),
    "uuid5": _whole(_UUID % ("5[0-9a-f]{3}", _VARIANT), re.IGNORECASE),
    "isbn": lambda text: _is_isbn10(text) or _is_isbn13(text),
    "isbn10": _is_isbn10,
    "isbn13": _is_isbn13,
    "creditcard": _is_card,
    "ssn": lambda text: len(text) == 11 and _whole(r"\d{3}[- ]?\d{2}[- ]?\d{4}")(text),
    "hexcolor": _whole("#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "rgbcolor": _whole(rf"rgb\({_CHANNEL},{_CHANNEL},{_CHANNEL}\)"),
    "byte": _whole(
        "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})"
    ),
    "password": lambda text: True,
    "date": _is_date,
    "duration": _is_duration,
    "datetime": _is_date_time,
    "k8sshortname": lambda text: len(text) <= LABEL_BYTES_MAX and _whole(_LABEL)(text),
    "k8slongname": lambda text: (
        len(text) <= LONG_NAME_BYTES_MAX and _whole(rf"{_LABEL}(\.{_LABEL})*")(text)
    ),
}
_NUMBERS = {"integer": ("int32", "int64"), "number": ("float", "double")}


def checked_format(schema: Mapping[str, Any]) -> str:
    """The format, normalised, where it restricts anything; empty where it does not."""
    name = schema.get("format")
    if not name:
        return ""
    # An int-or-string has two types, so its format is taken for that of a string.
    kind = "" if schema.get("x-kubernetes-int-or-string") else schema.get("type") or ""
    if kind in ("", "string"):
        plain = str(name).replace("-", "")
        return plain if plain in _FORMATS else ""
    return name if name in _NUMBERS.get(kind, ()) else ""


def fits_format(name: str, text: str) -> bool:
    """`name` as `checked_format` answers it."""
    check = _FORMATS.get(name)
    return check is None or check(text)
