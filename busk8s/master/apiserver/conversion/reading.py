"""Custom objects as their schemas have them when they come out of the store.

Owns      which version an object's bytes are in; defaults of that version, pruning by the one asked
          for; renaming, which is all that the conversion `None` does.
Leaves    schemas (api.custom), webhooks (converter).
Invariant what is read carries the defaults of the version it lies in, and no other version's.
"""

from __future__ import annotations

from busk8s import errors
from busk8s.api.object import Json, Object, head_length
from busk8s.api.scheme import Resource


def head(resource: Resource) -> bytes:
    """How the bytes of an object of this version begin."""
    return b'{"kind":"%b","apiVersion":"%b","metadata":{' % (
        resource.kind.encode(),
        resource.api_version.encode(),
    )


def lies_as(resource: Resource, obj: Object) -> bool:
    """Whether the bytes of `obj` are in the version `resource`."""
    return obj.body.startswith(head(resource))


def source_of(resource: Resource, obj: Object) -> Resource:
    """The version of the same kind that the bytes of `obj` are in; raises errors.Error."""
    assert resource.custom is not None
    start = head_length(resource, obj.body)
    _, _, rest = obj.body[:start].partition(b'"apiVersion":"')
    api_version = rest.partition(b'"')[0].decode()
    found = resource.custom.family.version(api_version.rpartition("/")[2])
    if found is None:
        what = "request to convert CR from an invalid group/version"
        raise errors.Error(500, "", f"{what}: {api_version}")
    return found


def shown(resource: Resource, obj: Object) -> Object:
    """`obj` as `resource` shows it, where no webhook is needed for that."""
    custom = resource.custom
    assert custom is not None
    own, fit = lies_as(resource, obj), obj.revision > custom.family.until
    if own and fit:
        return obj
    if fit and not custom.family.differs:
        return _renamed(resource, obj)
    source = resource if own else source_of(resource, obj)
    assert source.custom is not None
    return custom.shown(resource, source.custom, obj)


def own_form(stored: Resource, obj: Object) -> Object:
    """`obj` in the version it lies in, as that one's schema has it by now."""
    return shown(source_of(stored, obj), obj)


def prune(resource: Resource, data: Json) -> None:
    """What a conversion made, as the schema of `resource` has it; in place."""
    assert resource.custom is not None
    resource.custom.schema.prune(data)


def laid_down(resource: Resource, data: Json) -> Json:
    """`data`, of any version, as `resource` is stored, where conversion is `None`."""
    if data["apiVersion"] == resource.api_version:
        return data
    assert resource.custom is not None
    renamed = {**data, "apiVersion": resource.api_version}
    if resource.custom.family.differs:
        prune(resource, renamed)
    return renamed


def _renamed(resource: Resource, obj: Object) -> Object:
    body = head(resource) + obj.body[head_length(resource, obj.body) :]
    return Object(resource, obj.namespace, obj.name, revision=obj.revision, body=body)
