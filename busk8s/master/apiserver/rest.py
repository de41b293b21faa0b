"""The HTTP-shaped edges of the API: Accept, query parameters, and how answers are built.

Owns      media-type negotiation, options parsing with upstream's errors, Status responses.
Leaves    what an answer contains (read, write, delete), its transport (http, bus).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import orjson
import yaml

from busk8s import errors
from busk8s.api import protobuf, yamlbody
from busk8s.api.decode import (
    check_depth,
    from_protobuf,
    json_error,
    not_an_object,
    strip_nulls,
)
from busk8s.api.object import Json
from busk8s.api.request import JSON, Request, Response

ACCEPT_CACHED_MAX = 256  # Distinct Accept headers remembered; clients use a handful.
WARNINGS_RUNES_MAX = 4_096  # Of all warnings of an answer; beyond it each is cut. Upstream's.
WARNING_RUNES_CUT = 256
MANAGER_CHARACTERS_MAX = 128  # Of `fieldManager`; upstream's limit.

YAML = "application/yaml"
TEXT = "text/plain; charset=utf-8"
NO_SNIFF = ("X-Content-Type-Options", "nosniff")
OFFERED = (JSON, YAML)
ALL_OFFERED = (JSON, YAML, protobuf.CONTENT_TYPE)
_JOKERS = ("*/*", "application/*")

Shape = Literal["object", "table", "partial"]


@dataclass(frozen=True, slots=True)
class Accept:
    """What the caller can read: the bytes' format and the shape of the object in them."""

    media: str = JSON
    shape: Shape = "object"
    group: str = ""
    version: str = ""
    kind: str = ""


_PLAIN = Accept()


@lru_cache(maxsize=ACCEPT_CACHED_MAX)
def negotiate(header: str, *, messages: bool = True) -> Accept:
    """The best alternative of an Accept header that can be served; raises 406.

    `messages`: what is asked for has a protobuf form; metadata alone always has one.
    """
    if not header:
        return _PLAIN
    for media, given in _alternatives(header):
        accept = _alternative(media, given)
        if accept is None:
            continue
        if accept.media != protobuf.CONTENT_TYPE or messages or accept.shape == "partial":
            return accept
    raise errors.not_acceptable(ALL_OFFERED if messages else OFFERED)


def _alternatives(header: str) -> list[tuple[str, dict[str, str]]]:
    """Media types with their parameters: the best first, of equal ones as they stand."""
    found: list[tuple[tuple[float, bool, bool], str, dict[str, str]]] = []
    for text in header.split(","):
        media, *parameters = (part.strip() for part in text.split(";"))
        given = dict(p.split("=", 1) for p in parameters if "=" in p)
        try:
            quality = float(given.get("q", "1"))
        except ValueError:
            continue
        if quality > 0:
            found.append(((-quality, media == "*/*", media.endswith("/*")), media.lower(), given))
    found.sort(key=lambda one: one[0])
    return [(media, given) for _, media, given in found]


def _alternative(media: str, given: Mapping[str, str]) -> Accept | None:
    if media in _JOKERS:
        media = JSON
    if media not in ALL_OFFERED:
        return None
    kind, group, version = given.get("as", ""), given.get("g", ""), given.get("v", "")
    if not kind:
        return Accept(media)
    if group == "apidiscovery.k8s.io" and media == JSON:
        return Accept(media, "object", group, version, kind) if version == "v2" else None
    if group != "meta.k8s.io" or version != "v1":
        return None
    if kind == "Table" and media != protobuf.CONTENT_TYPE:
        return Accept(media, "table", group, version, kind)
    if kind in ("PartialObjectMetadata", "PartialObjectMetadataList"):
        return Accept(media, "partial", group, version, kind)
    return None


def refusal(error: errors.Error) -> Response:
    """`error` as the Status response clients parse."""
    headers: tuple[tuple[str, str], ...] = ()
    if error.retry_after_s:
        headers = (("Retry-After", str(error.retry_after_s)),)
    if error.plain:
        return Response(error.code, f"{error.message}\n".encode(), TEXT, headers=(NO_SNIFF,))
    if error.code == 403:
        headers = (*headers, NO_SNIFF)
    response = Response(error.code, orjson.dumps(error.to_status()), headers=headers)
    return with_warnings(response, error.warnings)


def success(name: str, *, group: str, plural: str, uid: str) -> bytes:
    """The Status that a delete answers with when there is no object left to show."""
    details = {"name": name, "group": group, "kind": plural, "uid": uid}
    return orjson.dumps(
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {key: value for key, value in details.items() if value},
        }
    )


def answer(data: Json, status: int = 200) -> Response:
    return Response(status, orjson.dumps(data))


def in_yaml(response: Response) -> Response:
    """`response` as YAML, for who accepts nothing else; streams stay JSON lines."""
    if response.stream is None and response.content_type == JSON:
        data = orjson.loads(response.body)
        response.body = yaml.dump(data, Dumper=yaml.CSafeDumper, sort_keys=False).encode()
        response.content_type = YAML
    return response


# Browsers and the tools people type at: they are answered as people read.
_READERS = ("curl", "Wget", "Mozilla/5.0")
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})


def is_read_by_people(request: Request) -> bool:
    """Whether objects are to be indented: as `pretty` says, else by who asks."""
    if said := request.query and request.param("pretty"):
        return said in _TRUE
    return request.headers.get("user-agent", "").startswith(_READERS)


def pretty(response: Response) -> Response:
    """`response` indented for a reader."""
    if response.stream is None and response.body and response.content_type == JSON:
        data = orjson.loads(response.body)
        response.body = orjson.dumps(data, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return response


def with_warnings(response: Response, warnings: Sequence[str]) -> Response:
    """`response` with one `Warning: 299` header for each distinct warning.

    When they are long together, each is cut short, and those beyond the limit are left out.
    """
    if not warnings:
        return response
    distinct = [" ".join(text.split()) for text in dict.fromkeys(warnings) if text]
    cut = sum(map(len, distinct)) > WARNINGS_RUNES_MAX
    said: list[tuple[str, str]] = []
    written = 0
    for text in distinct:
        shown = text[:WARNING_RUNES_CUT] if cut else text
        if cut and written >= WARNINGS_RUNES_MAX:
            break
        written += len(shown)
        said.append(("Warning", f'299 - "{_quoted(shown)}"'))
    response.headers = (*response.headers, *said)
    return response


def _quoted(text: str) -> str:
    plain = "".join(c if c.isprintable() else " " for c in text)
    return plain.replace("\\", "\\\\").replace('"', '\\"')


def flag(request: Request, name: str) -> bool:
    """A boolean query parameter: what is there and does not say no means yes, as upstream."""
    return name in request.query and request.param(name).lower() not in ("0", "false")


def integer(request: Request, name: str) -> int | None:
    """A decimal query parameter; absent or empty is None, anything unreadable a 400."""
    text = request.param(name)
    if not text:
        return None
    digits = text.removeprefix("-")
    if len(digits) > 19 or not (digits.isascii() and digits.isdigit()):
        raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """CreateOptions, UpdateOptions and PatchOptions: their query parameters are nearly the same.

    `applies`: the write is a server-side apply and brings its own managedFields.
    """

    dry_run: bool = False
    field_validation: str = "Warn"
    field_manager: str = ""
    force: bool = False
    applies: bool = False


_FIELD_VALIDATIONS = ("Ignore", "Warn", "Strict")
_DEFAULT_OPTIONS = WriteOptions()
_OPTIONS_KINDS = {"PUT": "UpdateOptions", "PATCH": "PatchOptions"}


def write_options(request: Request, *, applies: bool = False) -> WriteOptions:
    if not request.query and not applies:
        return _DEFAULT_OPTIONS
    wrong: list[errors.Cause] = []
    if "force" in request.query and not applies and request.method == "PATCH":
        said = "Forbidden: may not be specified for non-apply patch"
        wrong.append(errors.Cause("FieldValueForbidden", said, "force"))
    manager = request.param("fieldManager")
    wrong += _manager_causes(manager, applies=applies)
    dry_run = request.query.get("dryRun") or []
    wrong += _dry_run_causes(dry_run)
    validation = request.param("fieldValidation") or "Warn"
    if validation not in _FIELD_VALIDATIONS:
        said = (
            f'Unsupported value: "{validation}": supported values: "", "Ignore", "Strict", "Warn"'
        )
        wrong.append(errors.Cause("FieldValueNotSupported", said, "fieldValidation"))
    if wrong:
        raise errors.invalid(_options_kind(request), "", wrong, group="meta.k8s.io")
    return WriteOptions(
        dry_run=bool(dry_run),
        field_validation=validation,
        field_manager=manager,
        force=applies and flag(request, "force"),
        applies=applies,
    )


def told(options: WriteOptions) -> Json:
    """The options as admission shows them: what was said, not what is assumed."""
    said: Json = {}
    if options.dry_run:
        said["dryRun"] = ["All"]
    if options.field_manager:
        said["fieldManager"] = options.field_manager
    if options.field_validation != "Warn":
        said["fieldValidation"] = options.field_validation
    if options.applies and options.force:
        said["force"] = True
    return said


def _manager_causes(manager: str, *, applies: bool) -> list[errors.Cause]:
    if applies and not manager:
        said = "Required value: is required for apply patch"
        return [errors.Cause("FieldValueRequired", said, "fieldManager")]
    if len(manager) > MANAGER_CHARACTERS_MAX:
        said = f"Too long: may not be more than {MANAGER_CHARACTERS_MAX} bytes"
        return [errors.Cause("FieldValueTooLong", said, "fieldManager")]
    for place, character in enumerate(manager):
        if not character.isprintable():
            shown = orjson.dumps(manager).decode()
            which = f"invalid character U+{ord(character):04X} (at position {place})"
            said = f"Invalid value: {shown}: {which}"
            return [errors.Cause("FieldValueInvalid", said, "fieldManager")]
    return []


def _options_kind(request: Request) -> str:
    return _OPTIONS_KINDS.get(request.method, "CreateOptions")


def is_dry_run(values: Sequence[str]) -> bool:
    """Whether DeleteOptions say dryRun: All; any other value is a 422, as upstream has it."""
    if wrong := _dry_run_causes(values):
        raise errors.invalid("DeleteOptions", "", wrong, group="meta.k8s.io")
    return bool(values)


def _dry_run_causes(values: Sequence[str]) -> list[errors.Cause]:
    if all(value == "All" for value in values):
        return []
    said = f'Unsupported value: {orjson.dumps(list(values)).decode()}: supported values: "All"'
    return [errors.Cause("FieldValueNotSupported", said, "dryRun")]


def document(body: bytes, content_type: str) -> Json:
    """The JSON or YAML object in `body`, unchecked; raises 400 and 415."""
    media = content_type.partition(";")[0].strip().lower()
    if media == protobuf.CONTENT_TYPE:
        return from_protobuf(body)
    if media not in ("", JSON, YAML):
        raise errors.unsupported_media_type(content_type, (*OFFERED, protobuf.CONTENT_TYPE))
    try:
        data = orjson.loads(body) if media != YAML else yamlbody.parse(body, [])
    except ValueError as error:
        why = json_error(body, error)
        raise errors.bad_request(f"couldn't get version/kind; json parse error: {why}") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise errors.bad_request(not_an_object(data))
    check_depth(data)
    if media == YAML or b"null" in body:  # Go clients before 1.34 say `creationTimestamp: null`.
        strip_nulls(data)
    return data
