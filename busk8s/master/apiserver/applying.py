"""Server-side apply: PATCH with `application/apply-patch+yaml`, of an object or its status.

Owns      reading the applied configuration, create or update, conflicts as 409.
Leaves    the rules of ownership (api.apply), the write itself (write.replace, create_object).
Invariant what is applied goes through the same admission, defaults and validation as any write.
"""

from __future__ import annotations

from typing import Any

import orjson

from busk8s import errors
from busk8s.api import scheme, yamlbody
from busk8s.api.apply import lastapplied, managers, ownership
from busk8s.api.apply.extract import WrongType
from busk8s.api.apply.managers import BEFORE_FIRST_APPLY, Managed, Writer
from busk8s.api.apply.ownership import Conflicts, Setting
from busk8s.api.decode import (
    RAW_FIELDS,
    REQUEST_BYTES_MAX,
    check,
    check_depth,
    parse_json,
    strip_nulls,
)
from busk8s.api.formats import normalise, plan_of
from busk8s.api.object import Json, Object
from busk8s.api.request import Response
from busk8s.api.scheme import Resource
from busk8s.master.apiserver import rest, write
from busk8s.master.apiserver.conversion.views import served
from busk8s.master.apiserver.parts import Call, Parts
from busk8s.master.apiserver.refusals import access_denied
from busk8s.master.apiserver.render import render
from busk8s.master.apiserver.tracking import setting_of, split

APPLY_YAML = write.APPLY_PATCH
APPLY_CBOR = "application/apply-patch+cbor"


async def patch(parts: Parts, call: Call) -> Response:
    """PATCH of an object or its status, of whatever kind of patch."""
    if not is_apply(call):
        return await write.patch(parts, call)
    return await apply(parts, call, write.prepare_of(call))


async def apply(parts: Parts, call: Call, prepare: write.Prepare) -> Response:
    """The apply itself; `prepare` is the rule of the subresource it goes to."""
    options = rest.write_options(call.request, applies=True)
    warnings: list[str] = []
    config = configuration(call, call.resource, options, warnings)
    write.check_address(call, config)
    made = call.attributes.subresource == "" and not _exists(parts, call)
    if made:
        obj = await _create(parts, call, config, options, warnings)
        made = obj is not None
    if not made:
        obj = await _update(parts, call, config, options, warnings, prepare)
    assert obj is not None
    shown = render(call, await served(parts, call, obj), 201 if made else 200)
    return rest.with_warnings(shown, warnings)


def is_apply(call: Call) -> bool:
    media = call.request.content_type.partition(";")[0].strip().lower()
    if media == APPLY_CBOR:
        raise errors.Error(
            415,
            "UnsupportedMediaType",
            f"{APPLY_CBOR} is not supported: send the configuration as {APPLY_YAML}",
        )
    return media == APPLY_YAML


def _exists(parts: Parts, call: Call) -> bool:
    return parts.cache.get(call.stored.key, call.namespace, call.name) is not None


def configuration(
    call: Call, resource: Resource, options: rest.WriteOptions, warnings: list[str]
) -> Json:
    """The applied configuration in the body; 400 when it cannot be applied to `resource`."""
    config = _parse(resource, call.request.body, options, warnings)
    group, _, version = str(config.get("apiVersion") or "").rpartition("/")
    if (config.get("kind"), config.get("apiVersion")) != (resource.kind, resource.api_version):
        kind = config.get("kind") or ""
        raise errors.bad_request(f"invalid object type: {group}/{version}, Kind={kind}")
    metadata = config.setdefault("metadata", {})
    if isinstance(metadata, dict) and metadata.get("managedFields"):
        raise errors.bad_request("metadata.managedFields must be nil")
    try:
        # Differs from Kubernetes: there `1000m` over `1` is a change, and a conflict with who
        # wrote the 1, though both are the same quantity.
        if resource.custom is None:
            normalise(config, plan_of(scheme.model_of(resource)))
    except ValueError:
        pass  # Named when the merged object is checked, as for any write.
    return config


def _parse(
    resource: Resource, body: bytes, options: rest.WriteOptions, warnings: list[str]
) -> Json:
    if len(body) > REQUEST_BYTES_MAX:
        raise errors.too_large(REQUEST_BYTES_MAX)
    duplicates: list[str] = []
    config = _json(resource, body, duplicates)
    if config is None:
        try:
            config = yamlbody.parse(body, duplicates)
            orjson.dumps(config)  # YAML has integers of any size, JSON here has not.
        except (yamlbody.YamlError, TypeError) as error:
            raise errors.bad_request(f"error decoding YAML: {error}") from None
    if not isinstance(config, dict):
        raise errors.bad_request("error decoding YAML: the body is not an object")
    check_depth(config)
    if duplicates and options.field_validation == "Strict":
        raise errors.bad_request("error strict decoding YAML: " + ", ".join(duplicates))
    if options.field_validation != "Ignore":
        warnings += duplicates
    return config


def _json(resource: Resource, body: bytes, duplicates: list[str]) -> Any:
    """Most clients send JSON, which parses faster than the YAML it is; None: it is not."""
    try:
        return parse_json(resource, body, duplicates)
    except errors.Error:
        return None


async def _create(
    parts: Parts, call: Call, config: Json, options: rest.WriteOptions, warnings: list[str]
) -> Object | None:
    """None when somebody else was quicker."""
    write.refuse_inert(call)
    as_create = write.as_create(call)
    if (reason := parts.authorizer.authorize(as_create)) is not None:
        raise access_denied(as_create, reason)
    if uid := config["metadata"].get("uid"):
        raise errors.conflict(
            call.resource.plural,
            call.name,
            f"uid mismatch: the provided object specified uid {uid}, and no existing object was "
            "found",
            group=call.resource.group,
        )
    setting = setting_of(call, parts.clock.now())
    writer = managers.applier(options.field_manager)
    new, managed = applied(call, {}, config, {}, writer, setting, options)
    data = finished(call, new, managed, options, warnings)
    try:
        return await write.create_object(parts, call, data, options, warnings)
    except errors.Error as error:
        if error.reason != "AlreadyExists" or not _exists(parts, call):
            raise
    return None


async def _update(
    parts: Parts,
    call: Call,
    config: Json,
    options: rest.WriteOptions,
    warnings: list[str],
    prepare: write.Prepare,
) -> Object:
    subresource = call.attributes.subresource
    writer = managers.applier(options.field_manager, subresource)

    def make(seen: Object) -> tuple[Json, list[str]]:
        said: list[str] = []
        setting = setting_of(call, parts.clock.now())
        live, entries = split(seen.data)
        managed = known_owners(live, entries, subresource, setting)
        new, managed = applied(call, live, config, managed, writer, setting, options)
        return finished(call, new, managed, options, said, config=config), said

    return await write.replace(
        parts,
        call,
        make,
        options,
        warnings,
        prepare=prepare,
        attempts=write.PATCH_ATTEMPTS_MAX,
    )


def known_owners(live: Json, entries: list[Json], subresource: str, setting: Setting) -> Managed:
    """The owners of an object's fields; all is `before-first-apply`'s when nobody is known."""
    if entries:
        return managers.read(entries, trusted=True)
    first = managers.updater(BEFORE_FIRST_APPLY, setting.version, subresource)
    return ownership.update({}, live, {}, first, setting)


def applied(
    call: Call,
    live: Json,
    config: Json,
    managed: Managed,
    writer: Writer,
    setting: Setting,
    options: rest.WriteOptions,
) -> tuple[Json, Managed]:
    """As ownership.apply; kubectl may take over what its client-side apply set."""
    force = bool(options.force)
    try:
        return ownership.apply(live, config, managed, writer, setting, force=force)
    except WrongType as error:
        raise untyped(call, call.resource, str(error)) from None
    except Conflicts as conflicts:
        allowed = {}
        if writer.name == lastapplied.KUBECTL:
            allowed = lastapplied.takeover(live, setting.layout, setting.version)
        if rest_ := conflicts.beyond(allowed):
            raise ownership.refusal(rest_) from None
    return ownership.apply(live, config, managed, writer, setting, force=True)


def untyped(call: Call, resource: Resource, why: str) -> errors.Error:
    """Upstream has neither code nor reason of its own for it, and answers 500."""
    where = f"{call.namespace}/{call.name}" if call.namespace else f"/{call.name}"
    kind = f"{resource.api_version}, Kind={resource.kind}"
    if not resource.group:
        kind = "/" + kind
    return errors.Error(500, "", f"failed to create typed patch object ({where}; {kind}): {why}")


def finished(
    call: Call,
    new: Json,
    managed: Managed,
    options: rest.WriteOptions,
    warnings: list[str],
    *,
    config: Json | None = None,
) -> Json:
    """A document of its own, checked, with its managedFields."""
    body = orjson.dumps(new)
    data: Json = orjson.loads(body)
    if b":null" in body and call.resource.custom is None:
        strip_nulls(data, keep=RAW_FIELDS.get(call.resource.key, ""))
    warnings += check(call.resource, data, options.field_validation)
    if config is not None and options.field_manager == lastapplied.KUBECTL:
        lastapplied.keep_true(data, config)
    entries = managers.write(managed)
    if entries:
        data["metadata"]["managedFields"] = entries
    return data
