"""What expressions of policies and webhooks may name, and what each must give.

Owns      the declared variables of admission, compiling each kind of expression.
Leaves    the values (master/apiserver/admission/expressions).
Invariant compiling is pure: the same text gives the same program or the same message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from busk8s.api.cel import types
from busk8s.api.cel.errors import CelError
from busk8s.api.cel.library.authz import AUTHORIZER, RESOURCE_CHECK
from busk8s.api.cel.program import Program, compile
from busk8s.api.cel.types import CelType, list_of, map_of, object_of

MESSAGE_BYTES_MAX = 5 * 1024  # of a message that an expression makes
_STRINGS = list_of(types.STRING)


def _object(name: str, /, **fields: CelType) -> CelType:
    return object_of(fields, f"kubernetes.{name}")


_TEXT = types.STRING
_KIND = _object("GroupVersionKind", group=_TEXT, version=_TEXT, kind=_TEXT)
_RESOURCE = _object("GroupVersionResource", group=_TEXT, version=_TEXT, resource=_TEXT)
_USER = _object("UserInfo", username=_TEXT, uid=_TEXT, groups=_STRINGS, extra=map_of(_STRINGS))
REQUEST = _object(
    "AdmissionRequest",
    kind=_KIND,
    resource=_RESOURCE,
    subResource=_TEXT,
    requestKind=_KIND,
    requestResource=_RESOURCE,
    requestSubResource=_TEXT,
    name=_TEXT,
    namespace=_TEXT,
    operation=_TEXT,
    userInfo=_USER,
    dryRun=types.BOOL,
    options=types.DYN,
)
NAMESPACE = _object(
    "Namespace",
    metadata=_object(
        "NamespaceMetadata",
        name=_TEXT,
        generateName=_TEXT,
        namespace=_TEXT,
        labels=map_of(_TEXT),
        annotations=map_of(_TEXT),
        UID=_TEXT,
        creationTimestamp=types.TIMESTAMP,
        deletionGracePeriodSeconds=types.INT,
        deletionTimestamp=types.TIMESTAMP,
        generation=types.INT,
        resourceVersion=_TEXT,
        finalizers=_STRINGS,
    ),
    spec=_object("NamespaceSpec", finalizers=_STRINGS),
    status=_object(
        "NamespaceStatus",
        conditions=list_of(
            _object(
                "NamespaceCondition",
                status=_TEXT,
                type=_TEXT,
                lastTransitionTime=types.TIMESTAMP,
                message=_TEXT,
                reason=_TEXT,
            )
        ),
        phase=_TEXT,
    ),
)


def declared(*, params: bool, authorizer: bool = True) -> dict[str, CelType]:
    """The variables of a policy, without `variables`."""
    found = {
        "object": types.DYN,
        "oldObject": types.DYN,
        "request": REQUEST,
        "namespaceObject": NAMESPACE,
    }
    if params:
        found["params"] = types.DYN
    if authorizer:
        found["authorizer"] = AUTHORIZER
        found["authorizer.requestResource"] = RESOURCE_CHECK
    return found


def of_webhooks() -> dict[str, CelType]:
    """The variables of a webhook's match conditions."""
    found = declared(params=False)
    del found["namespaceObject"]
    return found


class _Anything(Mapping[str, CelType]):
    """Of an Object: any field, checked when the object that it makes is known."""

    def __getitem__(self, key: str) -> CelType:
        return types.DYN

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True


_ANYTHING = _Anything()
PATCH_OBJECT = CelType("object", (), "Object", _ANYTHING)
_JSON_PATCH = CelType(
    "object", (), "JSONPatch", {"op": _TEXT, "path": _TEXT, "from": _TEXT, "value": types.DYN}
)


def patch_structs(name: str) -> CelType | None:
    if name == "JSONPatch":
        return _JSON_PATCH
    if name == "Object" or name.startswith("Object."):
        return CelType("object", (), name, _ANYTHING)
    return None


def condition(text: str, variables: Mapping[str, CelType]) -> Program:
    return compile(text, variables, result=types.BOOL)


def message(text: str, variables: Mapping[str, CelType]) -> Program:
    return compile(text, variables, result=types.STRING)


def annotation(text: str, variables: Mapping[str, CelType]) -> Program:
    return compile(text, variables, result=(types.STRING, types.NULL))


def apply_configuration(text: str, variables: Mapping[str, CelType]) -> Program:
    return compile(text, variables, result=PATCH_OBJECT, structs=patch_structs)


def json_patch(text: str, variables: Mapping[str, CelType]) -> Program:
    return compile(text, variables, result=list_of(_JSON_PATCH), structs=patch_structs)


Composed = list[tuple[str, Program]]


def composed(
    entries: list[dict[str, Any]], variables: Mapping[str, CelType], *, patch: bool = False
) -> tuple[Composed, dict[str, CelType], list[CelError | None]]:
    """The `variables` of a policy in order: programs, everything declared after them, errors.

    Each sees those before it. One that does not compile is of any type for those after it.
    """
    programs: Composed = []
    found: list[CelError | None] = []
    fields: dict[str, CelType] = {}
    for entry in entries:
        so_far = {**variables, "variables": object_of(dict(fields), "kubernetes.variables")}
        name = str(entry.get("name"))
        try:
            program = compile(
                str(entry.get("expression") or ""),
                so_far,
                structs=patch_structs if patch else None,
            )
        except CelError as error:
            found.append(error)
            fields[name] = types.DYN
            continue
        found.append(None)
        programs.append((name, program))
        fields[name] = program.result
    return programs, {**variables, "variables": object_of(fields, "kubernetes.variables")}, found
