"""Each format of strings takes what upstream takes."""

from __future__ import annotations

import pytest

from busk8s.api.custom.formats import checked_format, fits_format

# Format: what it takes, what it does not.
CASES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "date": (("2024-02-29", "0001-01-01"), ("2023-02-29", "2024-1-1", "20240101", "")),
    "date-time": (
        ("2024-01-02T03:04:05Z", "2024-01-02t03:04:05.123+01:00", "2024-01-02T23:59:59z"),
        ("2024-01-02", "2024-01-02T24:00:00Z", "2024-01-02T03:04:05", "2024-01-02 03:04:05Z"),
    ),
    "duration": (("1h30m", "10s", "-1.5h", "0", "3 days", "22 ns", "1 week"), ("", "1", "h")),
    "byte": (("aGk=", "YWJj"), ("a", "a-b_", "aGk")),
    "email": (("a@b.c", "Ann <a@b.c>"), ("a", "a@", "@b", "a b@c")),
    "hostname": (("a", "a.example.com", "1a.example.com", "bücher.example"), ("-a", "a_b.c", "")),
    "ipv4": (("1.2.3.4", "01.02.03.04"), ("1.2.3", "::1", "1.2.3.256")),
    "ipv6": (("::1", "fe80::1", "::ffff:1.2.3.4"), ("1.2.3.4", "g::", "fe80::1%eth0")),
    "cidr": (("10.0.0.0/8", "010.0.0.0/8", "::/0"), ("10.0.0.0", "10.0.0.0/33", "::/129")),
    "uri": (("http://a/b", "/path", "urn:x", "a:b"), ("a", "", "http://[::1", "http://a b")),
    "mac": (("01:23:45:67:89:ab", "0123.4567.89ab", "01-23-45-67-89-AB"), ("01:23", "0g:00")),
    "uuid": (("6ba7b810-9dad-11d1-80b4-00c04fd430c8",), ("6ba7b810",)),
    "uuid3": (("6fa459ea-ee8a-3ca4-894e-db77e160355e",), ("6fa459ea-ee8a-4ca4-894e-db77e160355e",)),
    "uuid4": (("16FD2706-8BAF-433B-82EB-8C7FADA847DA",), ("16fd2706-8baf-433b-c2eb-8c7fada847da",)),
    "uuid5": (("886313e1-3b8a-5372-9b90-0c9aee199e5d",), ("886313e1-3b8a-4372-9b90-0c9aee199e5d",)),
    "bsonobjectid": (("507f1f77bcf86cd799439011",), ("507f1f77", "g" * 24)),
    "isbn": (("0321751043", "978-0321751041"), ("0321751044",)),
    "isbn10": (("080442957X",), ("978-0321751041",)),
    "isbn13": (("978-0321751041",), ("978-0321751042",)),
    "creditcard": (("4111-1111-1111-1111",), ("4111-1111-1111-1112", "1")),
    "ssn": (("111-11-1111",), ("111111111", "111-11-111")),
    "hexcolor": (("#fff", "FFFFFF"), ("#ff", "#ggg")),
    "rgbcolor": (("rgb(255, 0,7)",), ("rgb(256,0,0)", "rgb(0,0)")),
    "password": (("", "x"), ()),
    "k8s-short-name": (("a", "a-b", "0" * 63), ("A", "-a", "a.b", "a" * 64)),
    "k8s-long-name": (("a.b-c", "a" * 100), ("A.b", "a..b", "a" * 254)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_format_takes_what_is_of_it_and_nothing_else(name: str) -> None:
    known = checked_format({"type": "string", "format": name})
    taken, refused = CASES[name]
    assert [text for text in taken if not fits_format(known, text)] == []
    assert [text for text in refused if fits_format(known, text)] == []


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "format": "color"},
        {"type": "string", "format": "int32"},
        {"type": "object", "format": "date"},
        {"x-kubernetes-int-or-string": True, "format": "int32"},
    ],
    ids=["unknown", "a number's on a text", "a text's on an object", "any on int-or-string"],
)
def test_formats_that_mean_nothing_there_restrict_nothing(schema: dict[str, object]) -> None:
    assert checked_format(schema) == ""
