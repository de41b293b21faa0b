"""Questions about access and identity: asked by create, answered at once, never stored.

Owns      the four access reviews, SelfSubjectReview, TokenReview and TokenRequest.
Leaves    the answers: Authorizer and TokenSigner.
"""

from __future__ import annotations

from collections.abc import Sequence

from busk8s import errors
from busk8s.api import scheme
from busk8s.api.decode import check, decode
from busk8s.api.meta import format_time
from busk8s.api.object import Json
from busk8s.api.request import Response, User
from busk8s.api.scheme import Resource
from busk8s.master.apiserver import rest
from busk8s.master.apiserver.attributes import Attributes, Explains, Operation
from busk8s.master.apiserver.parts import Call, Parts
from busk8s.master.apiserver.read import find
from busk8s.master.apiserver.write import check_address


def _body(call: Call) -> tuple[Json, list[str]]:
    options = rest.write_options(call.request)
    return decode(
        call.resource, call.request.body, call.request.content_type, options.field_validation
    )


def _answer(data: Json, warnings: list[str]) -> Response:
    data.setdefault("metadata", {}).setdefault("creationTimestamp", None)
    return rest.with_warnings(rest.answer(data, 201), warnings)


async def self_subject(parts: Parts, call: Call) -> Response:
    """SelfSubjectReview: who am I."""
    data, warnings = _body(call)
    data["status"] = {"userInfo": _user_info(call.attributes.user)}
    return _answer(data, warnings)


def _user_info(user: User) -> Json:
    info: Json = {"username": user.name}
    if user.uid:
        info["uid"] = user.uid
    if user.groups:
        info["groups"] = list(user.groups)
    if user.extra:
        info["extra"] = {key: list(values) for key, values in user.extra.items()}
    return info


async def self_access(parts: Parts, call: Call) -> Response:
    data, warnings = _body(call)
    data["status"] = _decide(parts, call.attributes.user, data)
    return _answer(data, warnings)


async def access(parts: Parts, call: Call) -> Response:
    """SubjectAccessReview and LocalSubjectAccessReview."""
    data, warnings = _body(call)
    spec = data["spec"]
    if not spec.get("user") and not spec.get("groups"):
        cause = errors.Cause(
            "FieldValueRequired", "Required value: at least one of user or group must be specified",
            "spec.user",
        )  # fmt: skip
        raise errors.invalid(call.resource.kind, "", [cause], group=call.resource.group)
    if call.resource.namespaced:
        asked = (spec.get("resourceAttributes") or {}).get("namespace", "")
        if asked != call.namespace:
            cause = errors.Cause(
                "FieldValueInvalid",
                f'Invalid value: "{asked}": must match metadata.namespace',
                "spec.resourceAttributes.namespace",
            )
            raise errors.invalid(call.resource.kind, "", [cause], group=call.resource.group)
    user = _subject(spec)
    data["status"] = _decide(parts, user, data)
    return _answer(data, warnings)


def _subject(spec: Json) -> User:
    extra = {key: tuple(values) for key, values in (spec.get("extra") or {}).items()}
    return User(
        spec.get("user") or "", tuple(spec.get("groups") or ()), spec.get("uid") or "", extra
    )


def _decide(parts: Parts, user: User, review: Json) -> Json:
    attributes = _attributes(user, review)
    reason = parts.authorizer.authorize(attributes)
    status: Json = {"allowed": reason is None}
    if reason is None and isinstance(parts.authorizer, Explains):
        reason = parts.authorizer.granted_by(attributes)
    if reason:
        status["reason"] = reason
    return status


def _attributes(user: User, review: Json) -> Attributes:
    spec = review["spec"]
    asked, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (asked is None) == (path is None):
        cause = errors.Cause(
            "FieldValueInvalid",
            "Invalid value: exactly one of nonResourceAttributes or resourceAttributes must be "
            "specified",
            "spec.resourceAttributes",
        )
        raise errors.invalid(review["kind"], "", [cause], group="authorization.k8s.io")
    if path is not None:
        return Attributes(user, path.get("verb", ""), path=path.get("path", ""))
    return Attributes(
        user,
        asked.get("verb", ""),
        _resource(asked.get("group", ""), asked.get("version", ""), asked.get("resource", "")),
        asked.get("subresource", ""),
        asked.get("namespace", ""),
        asked.get("name", ""),
        field_selector=_selector(asked.get("fieldSelector") or {}),
    )


def _selector(fields: Json) -> str:
    """The text of a selector that a review asks about; terms that are no equality say nothing."""
    if raw := fields.get("rawSelector"):
        return str(raw)
    return ",".join(
        f"{each['key']}={each['values'][0]}"
        for each in fields.get("requirements") or ()
        if each.get("operator") == "In" and len(each.get("values") or ()) == 1
    )


def _resource(group: str, version: str, plural: str) -> Resource:
    """The resource asked about; one nobody serves is asked about all the same."""
    known = scheme.RESOURCES.get(f"{plural}.{group}" if group else plural)
    return known or Resource(group, version or "v1", plural, "", namespaced=True)


async def self_rules(parts: Parts, call: Call) -> Response:
    """SelfSubjectRulesReview: what the asker may do in a namespace, rule by rule."""
    data, warnings = _body(call)
    namespace = data["spec"].get("namespace")
    if not namespace:
        raise errors.bad_request("no namespace on request")
    if isinstance(parts.authorizer, Explains):
        data["status"] = _listed(*parts.authorizer.rules_of(call.attributes.user, namespace))
    else:
        data["status"] = _listed((), ("the authorizer does not support listing rules",))
    return _answer(data, warnings)


def _listed(rules: Sequence[Json], missing: Sequence[str]) -> Json:
    status: Json = {
        "resourceRules": [rule for rule in rules if "nonResourceURLs" not in rule],
        "nonResourceRules": [rule for rule in rules if "nonResourceURLs" in rule],
        "incomplete": bool(missing),
    }
    if missing:
        status["evaluationError"] = ", ".join(missing)
    return status


async def token_review(parts: Parts, call: Call) -> Response:
    data, warnings = _body(call)
    if parts.reviewer is None:
        raise _no_signer("tokenreviews")
    if not data["spec"].get("token"):
        raise errors.bad_request("token is required for TokenReview in authentication")
    data["status"] = await parts.reviewer.review(data["spec"])
    return _answer(data, warnings)


TOKEN_REQUEST = Resource(
    "authentication.k8s.io", "v1", "tokenrequests", "TokenRequest", namespaced=True
)
SECONDS_MIN = 600
SECONDS_MAX = 1 << 32


async def token_request(parts: Parts, call: Call) -> Response:
    """POST serviceaccounts/NAME/token."""
    options = rest.write_options(call.request)
    data = rest.document(call.request.body, call.request.content_type)
    warnings = check(TOKEN_REQUEST, data, options.field_validation)
    metadata = check_address(call, data)
    account = find(parts, call)
    if parts.signer is None:
        raise _no_signer("serviceaccounts/token")
    spec = data.setdefault("spec", {})
    spec["expirationSeconds"] = _seconds(spec)
    metadata["creationTimestamp"] = format_time(call.now)
    operation = Operation(call.attributes, "CREATE", data, warnings=warnings)
    await parts.admission.mutate(operation)
    await parts.admission.validate(operation)
    data["status"] = parts.signer.request(call.namespace, account.data, spec, warnings)
    return rest.with_warnings(rest.answer(data, 201), warnings)


def _seconds(spec: Json) -> int:
    asked = spec.get("expirationSeconds")
    seconds = 3600 if asked is None else int(asked)
    why = ""
    if seconds < SECONDS_MIN:
        why = "may not specify a duration less than 10 minutes"
    elif seconds > SECONDS_MAX:
        why = "may not specify a duration larger than 2^32 seconds"
    if not why:
        return seconds
    said = f"Invalid value: {seconds}: {why}"
    cause = errors.Cause("FieldValueInvalid", said, "spec.expirationSeconds")
    raise errors.invalid("TokenRequest", "", [cause], group="authentication.k8s.io")


def _no_signer(what: str) -> errors.Error:
    return errors.Error(501, "NotImplemented", f"{what}: this server has no token signer")
