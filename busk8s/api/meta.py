"""Names and metadata: which strings are legal, in upstream's words, and how times are written.

Owns      name grammars (DNS-1123 label and subdomain, qualified names, label values), generated
          names, RFC 3339 times.
Leaves    the rules of whole objects (validation/).
Invariant each `*_errors` function answers with a list of messages; empty means legal.
Source    apimachinery pkg/util/validation, pkg/api/validation; API conventions for the times.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

LABEL_LENGTH_MAX = 63
SUBDOMAIN_LENGTH_MAX = 253
QUALIFIED_NAME_LENGTH_MAX = 63
LABEL_VALUE_LENGTH_MAX = 63
GENERATED_SUFFIX_LENGTH = 5
# Longer bases are cut, so that base + suffix stays a legal label (upstream names/generate.go).
GENERATE_BASE_LENGTH_MAX = LABEL_LENGTH_MAX - GENERATED_SUFFIX_LENGTH
# Label keys, values and names repeat over objects; a few thousand distinct ones are remembered.
CACHE_ENTRIES = 8192

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = _LABEL + r"(\." + _LABEL + ")*"
_DNS1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_QUALIFIED})?"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_PATH_SEGMENT_WORDS = (".", "..")
_PATH_SEGMENT_PARTS = ("/", "%")

_label_re = re.compile(_LABEL, re.ASCII)
_wildcard_re = re.compile(r"\*\." + _SUBDOMAIN, re.ASCII)
_subdomain_re = re.compile(_SUBDOMAIN, re.ASCII)
_dns1035_re = re.compile(_DNS1035, re.ASCII)
_qualified_re = re.compile(_QUALIFIED, re.ASCII)
_value_re = re.compile(_VALUE, re.ASCII)
_time_re = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_config_key_re = re.compile(_CONFIG_KEY, re.ASCII)


def _regex_message(text: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{text} (e.g. {shown}regex used for validation is '{pattern}')"


def too_long_message(limit: int) -> str:
    return f"must be no more than {limit} bytes"


LABEL_MESSAGE = _regex_message(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character",
    _LABEL,
    "my-name",
    "123-abc",
)
SUBDOMAIN_MESSAGE = _regex_message(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character",
    _SUBDOMAIN,
    "example.com",
)
_SEARCH_LABEL = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
SEARCH_MESSAGE = _regex_message(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' "
    "or '.', and must start and end with an alphanumeric character",
    _SEARCH_LABEL + r"(\." + _SEARCH_LABEL + ")*",
    "example.com",
)
_search_re = re.compile(_SEARCH_LABEL + r"(\." + _SEARCH_LABEL + ")*", re.ASCII)
DNS1035_MESSAGE = _regex_message(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character",
    _DNS1035,
    "my-name",
    "abc-123",
)
WILDCARD_MESSAGE = _regex_message(
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which "
    "must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric "
    "character",
    r"\*\." + _SUBDOMAIN,
    "*.example.com",
)
QUALIFIED_MESSAGE = _regex_message(
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character",
    _QUALIFIED,
    "MyName",
    "my.name",
    "123-abc",
)
VALUE_MESSAGE = _regex_message(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character",
    _VALUE,
    "MyValue",
    "my_value",
    "12345",
)
CONFIG_KEY_MESSAGE = _regex_message(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _CONFIG_KEY,
    "key.name",
    "KEY_NAME",
    "key-name",
)

NameErrors = Callable[[str], tuple[str, ...]]


@lru_cache(CACHE_ENTRIES)
def label_errors(name: str) -> tuple[str, ...]:
    """DNS-1123 label."""
    return _errors(name, _label_re, LABEL_LENGTH_MAX, LABEL_MESSAGE)


@lru_cache(CACHE_ENTRIES)
def subdomain_errors(name: str) -> tuple[str, ...]:
    """DNS-1123 subdomain."""
    return _errors(name, _subdomain_re, SUBDOMAIN_LENGTH_MAX, SUBDOMAIN_MESSAGE)


@lru_cache(CACHE_ENTRIES)
def search_errors(name: str) -> tuple[str, ...]:
    """A domain to search in: names in zones of services may begin with `_`."""
    return _errors(name, _search_re, SUBDOMAIN_LENGTH_MAX, SEARCH_MESSAGE)


@lru_cache(CACHE_ENTRIES)
def wildcard_errors(name: str) -> tuple[str, ...]:
    """`*.` before a DNS-1123 subdomain: a host of an Ingress."""
    return _errors(name, _wildcard_re, SUBDOMAIN_LENGTH_MAX, WILDCARD_MESSAGE)


@lru_cache(CACHE_ENTRIES)
def dns1035_errors(name: str) -> tuple[str, ...]:
    """DNS-1035 label: a Service's name."""
    return _errors(name, _dns1035_re, LABEL_LENGTH_MAX, DNS1035_MESSAGE)


@lru_cache(CACHE_ENTRIES)
def path_segment_errors(name: str) -> tuple[str, ...]:
    """Names that only have to fit in a URL path (RBAC kinds)."""
    if name in _PATH_SEGMENT_WORDS:
        return (f"may not be '{name}'",)
    return tuple(f"may not contain '{part}'" for part in _PATH_SEGMENT_PARTS if part in name)


@lru_cache(CACHE_ENTRIES)
def label_value_errors(value: str) -> tuple[str, ...]:
    return _errors(value, _value_re, LABEL_VALUE_LENGTH_MAX, VALUE_MESSAGE)


@lru_cache(CACHE_ENTRIES)
def config_key_errors(key: str) -> tuple[str, ...]:
    """A key of a ConfigMap or Secret: it becomes a file name."""
    errors = _errors(key, _config_key_re, SUBDOMAIN_LENGTH_MAX, CONFIG_KEY_MESSAGE)
    if key == ".":
        return (*errors, "must not be '.'")
    if key == "..":
        return (*errors, "must not be '..'")
    return (*errors, "must not start with '..'") if key.startswith("..") else errors


@lru_cache(CACHE_ENTRIES)
def env_name_errors(name: str) -> tuple[str, ...]:
    """Relaxed as upstream has it: printable ASCII but for `=`."""
    if not name:
        return ("environment variable name must be a non-empty string",)
    if all(" " <= character <= "~" and character != "=" for character in name):
        return ()
    message = "a valid environment variable name must consist only of printable ASCII characters"
    return (f"{message} other than '='",)


@lru_cache(CACHE_ENTRIES)
def qualified_name_errors(name: str) -> tuple[str, ...]:
    """`name` or `prefix/name`: label keys, annotation keys, resource and condition names."""
    prefix, slash, local = name.rpartition("/")
    if "/" in prefix:
        example = " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return (f"a qualified name {QUALIFIED_MESSAGE}{example}",)
    errors = []
    if slash:
        if not prefix:
            errors.append("prefix part must be non-empty")
        else:
            errors += [f"prefix part {message}" for message in subdomain_errors(prefix)]
    if not local:
        errors.append("name part must be non-empty")
    elif len(local) > QUALIFIED_NAME_LENGTH_MAX:
        errors.append(f"name part {too_long_message(QUALIFIED_NAME_LENGTH_MAX)}")
    if not _qualified_re.fullmatch(local):
        errors.append(f"name part {QUALIFIED_MESSAGE}")
    return tuple(errors)


def _errors(text: str, pattern: re.Pattern[str], limit: int, message: str) -> tuple[str, ...]:
    errors = []
    if len(text) > limit:
        errors.append(too_long_message(limit))
    if not pattern.fullmatch(text):
        errors.append(message)
    return tuple(errors)


def generated_name(base: str, suffix: str) -> str:
    """The name for `metadata.generateName`: the base, cut where needed, and a random suffix."""
    return base[:GENERATE_BASE_LENGTH_MAX] + suffix


def format_time(now: float) -> str:
    """RFC 3339 with seconds: metav1.Time."""
    return _second(int(now // 1))


@lru_cache(64)  # Most times written are the present second.
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_micro_time(now: float) -> str:
    """RFC 3339 with six digits of seconds: metav1.MicroTime."""
    seconds, micros = divmod(round(now * 1_000_000), 1_000_000)
    return f"{_second(seconds)[:-1]}.{micros:06d}Z"


def parse_time(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 time; ValueError if it is none."""
    if not _time_re.fullmatch(text):
        raise ValueError(f"not an RFC 3339 time: {text!r}")
    return datetime.fromisoformat(text).timestamp()
