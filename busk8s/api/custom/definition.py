"""What a CustomResourceDefinition itself must be.

Owns      `validate_definition`, `validate_definition_status`, `default_definition`: names, scope,
          versions, schemas, subresources, columns, selectable fields, conversion.
Leaves    ObjectMeta, conditions and whether the names are free (the API server's controller).
Invariant pure. A version whose schema did not change is not looked at again: it was legal.
Source    upstream's apiextensions validation; paths are those of its internal form, where what all
          versions have alike stands at `spec` (`spec.validation.openAPIV3Schema`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from busk8s.api.custom.approval import ANNOTATION, approval
from busk8s.api.custom.columns import column_failures, scale_failures, selectable_failures
from busk8s.api.custom.conversions import conversion_failures
from busk8s.api.custom.defaultrules import default_failures
from busk8s.api.custom.node import SchemaTooBig, has_rules, measure
from busk8s.api.custom.schemarules import keyword_failures
from busk8s.api.custom.schematypes import type_failures
from busk8s.api.custom.structure import structural_failures
from busk8s.api.meta import dns1035_errors, subdomain_errors
from busk8s.api.rules.cause import forbidden, immutable, invalid, not_supported, required
from busk8s.errors import Cause

Json = dict[str, Any]

SCOPES = ("Cluster", "Namespaced")
WARNING_LENGTH_MAX = 256
VERSIONS_MAX = 100
# What may stand at a schema's root when `status` is cut out of it.
_AT_ROOT = (
    "Description", "Type", "Format", "Title", "Maximum", "ExclusiveMaximum", "Minimum",
    "ExclusiveMinimum", "MaxLength", "MinLength", "Pattern", "MaxItems", "MinItems", "UniqueItems",
    "MultipleOf", "Required", "Items", "Properties", "ExternalDocs", "Example",
    "XPreserveUnknownFields", "XValidations",
)  # fmt: skip
_ROOT_NAMES = frozenset(
    name[0].lower() + name[1:] for name in _AT_ROOT if not name.startswith("X")
) | {"x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations"}


def default_definition(obj: Json) -> None:
    """Completes, in place, what upstream completes."""
    spec = obj.setdefault("spec", {})
    names = spec.setdefault("names", {})
    kind = names.get("kind") or ""
    if not names.get("singular"):
        names["singular"] = kind.lower()
    if not names.get("listKind") and kind:
        names["listKind"] = f"{kind}List"
    conversion = spec.get("conversion")
    if conversion is None:
        spec["conversion"] = {"strategy": "None"}
    else:
        client = (conversion.get("webhook") or {}).get("clientConfig") or {}
        if isinstance(service := client.get("service"), dict):
            service.setdefault("port", 443)
    status = obj.setdefault("status", {})
    if not status.get("storedVersions"):
        stored = [v.get("name") for v in spec.get("versions") or () if v.get("storage")]
        status["storedVersions"] = stored[:1]
    status.setdefault("conditions", [])
    status.setdefault("acceptedNames", {"plural": "", "kind": ""})


def validate_definition(new: Json, old: Json | None = None) -> list[Cause]:
    """`new` is complete (`default_definition`); `old`: what an update replaces."""
    spec = new.get("spec") or {}
    names = spec.get("names") or {}
    causes: list[Cause] = []
    if old is None:
        name = (new.get("metadata") or {}).get("name") or ""
        if name != f"{names.get('plural', '')}.{spec.get('group', '')}":
            detail = 'must be spec.names.plural+"."+spec.group'
            causes.append(invalid("metadata.name", name, detail))
    causes += _spec_failures(spec, old or {})
    if old is not None:
        causes += _update_failures(spec, old)
    causes += validate_definition_status(new)
    causes += _stored_failures(new)
    causes += _approval_failures(new, old)
    if spec.get("preserveUnknownFields"):
        detail = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
            "spec.versions[*].schema instead"
        )
        causes.append(invalid("spec.preserveUnknownFields", True, detail))
    return causes


def validate_definition_status(new: Json) -> list[Cause]:
    accepted = (new.get("status") or {}).get("acceptedNames") or {}
    return _name_failures(accepted, "status.acceptedNames")


def established(definition: Json) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Established" and c.get("status") == "True" for c in conditions)


def _spec_failures(spec: Json, definition: Json) -> list[Cause]:
    """`definition`: the whole of what is replaced."""
    causes: list[Cause] = []
    old = definition.get("spec") or {}
    group = spec.get("group") or ""
    if not group:
        causes.append(required("spec.group"))
    elif errors := subdomain_errors(group):
        causes.append(invalid("spec.group", group, ",".join(errors)))
    elif "." not in group:
        causes.append(invalid("spec.group", group, "should be a domain with at least one dot"))
    scope = spec.get("scope") or ""
    if not scope:
        causes.append(required("spec.scope"))
    elif scope not in SCOPES:
        causes.append(not_supported("spec.scope", scope, SCOPES))
    causes += _versions_failures(spec, old)
    names = spec.get("names") or {}
    for name in ("plural", "singular", "kind", "listKind"):
        if not names.get(name):
            causes.append(required(f"spec.names.{name}"))
    causes += _name_failures(names, "spec.names")
    conversion, before = spec.get("conversion"), old.get("conversion")
    causes += conversion_failures(conversion, before, established=established(definition))
    return causes


def _versions_failures(spec: Json, old: Json) -> list[Cause]:
    versions: Sequence[Json] = spec.get("versions") or []
    if len(versions) > VERSIONS_MAX:
        return [Cause(
            "FieldValueTooMany",
            f"Too many: {len(versions)}: must have at most {VERSIONS_MAX} items",
            "spec.versions",
        )]  # fmt: skip
    causes: list[Cause] = []
    for at, version in enumerate(versions):
        if ((version.get("schema") or {}).get("openAPIV3Schema")) is None:
            causes.append(required(f"spec.versions[{at}].schema.openAPIV3Schema"))
    was = {each.get("name"): each for each in old.get("versions") or ()}
    alike = {
        name: all(each.get(name) == versions[0].get(name) for each in versions)
        for name in ("schema", "subresources", "additionalPrinterColumns", "selectableFields")
    }
    for at, version in enumerate(versions):
        name, where = version.get("name") or "", f"spec.versions[{at}]"
        if errors := dns1035_errors(name):
            causes.append(invalid(f"{where}.name", name, ",".join(errors)))
        causes += _version_failures(version, was.get(name) or {}, where, at == 0, alike)
    names = [version.get("name") for version in versions]
    shown: Any = [{"name": name} for name in names]
    if len(set(names)) != len(names):
        causes.append(invalid("spec.versions", shown, "must contain unique version names"))
    if sum(bool(version.get("storage")) for version in versions) != 1:
        detail = "must have exactly one version marked as storage version"
        causes.append(invalid("spec.versions", shown, detail))
    return causes


def _version_failures(
    version: Json, was: Json, where: str, first: bool, alike: dict[str, bool]
) -> list[Cause]:
    causes = _warning_failures(version, where)

    def at(name: str) -> str | None:
        """Where upstream finds it; None: said once already, for the first version."""
        if not alike[name]:
            return f"{where}.{name}"
        top = "validation" if name == "schema" else name
        return f"spec.{top}" if first else None

    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    status = bool((version.get("subresources") or {}).get("status") is not None)
    old_schema = (was.get("schema") or {}).get("openAPIV3Schema")
    old_status = bool((was.get("subresources") or {}).get("status") is not None)
    changed = schema != old_schema or status is not old_status
    if schema is not None and changed and (path := at("schema")):
        causes += schema_failures(schema, f"{path}.openAPIV3Schema", status=status)
    if path := at("subresources"):
        causes += scale_failures(version.get("subresources") or {}, path)
    if path := at("additionalPrinterColumns"):
        for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
            causes += column_failures(column, f"{path}[{index}]")
    if (path := at("selectableFields")) and (fields := version.get("selectableFields")):
        causes += selectable_failures(fields, schema or {}, path)
    return causes


def schema_failures(schema: Json, path: str, *, status: bool = False) -> list[Cause]:
    """All that is wrong with the schema of a version."""
    try:
        measure(schema)
    except SchemaTooBig as error:
        return [invalid(path, "", str(error))]
    if causes := type_failures(schema, path):
        return causes
    if status:
        causes += _root_failures(schema, path)
    if schema.get("nullable"):
        causes.append(forbidden(f"{path}.nullable", "nullable cannot be true at the root"))
    keywords = keyword_failures(schema, path)
    # What is not even a schema of ours is not read as one.
    broken = any(c.message.endswith("is not supported") or "array" in c.message for c in keywords)
    found: list[Cause] = []
    if not broken or not keywords:
        found = structural_failures(schema, path) or default_failures(schema, path)
    causes += found + keywords
    if not causes and has_rules(schema):
        from busk8s.api.custom.rulecheck import rule_text_failures  # CEL is heavy: only for rules

        causes += rule_text_failures(schema, path)
    return causes


def _root_failures(schema: Json, path: str) -> list[Cause]:
    kind = schema.get("type")
    if kind and kind != "object":
        detail = (
            'only "object" is allowed as the type at the root of the schema if the status '
            "subresource is enabled"
        )
        return [invalid(f"{path}.type", kind, detail)]
    if any(value and name not in _ROOT_NAMES for name, value in schema.items()):
        detail = (
            f"only [{' '.join(_AT_ROOT)}] fields are allowed at the root of the schema if the "
            "status subresource is enabled"
        )
        return [invalid(path, sorted(name for name, value in schema.items() if value), detail)]
    return []


def _warning_failures(version: Json, where: str) -> list[Cause]:
    text, at = version.get("deprecationWarning"), f"{where}.deprecationWarning"
    if text is None:
        return []
    if not version.get("deprecated"):
        return [invalid(at, text, "can only be set for deprecated versions")]
    causes: list[Cause] = []
    if len(text.encode()) > WARNING_LENGTH_MAX:
        causes.append(invalid(at, text, f"must be <= {WARNING_LENGTH_MAX} characters long"))
    if not text:
        causes.append(invalid(at, text, "must not be an empty string"))
    odd = next((at for at, each in enumerate(text) if not each.isprintable()), None)
    if odd is not None:
        detail = (
            "must only contain printable UTF-8 characters; non-printable character found at "
            f"index {len(text[:odd].encode())}"
        )
        causes.append(invalid(at, text, detail))
    return causes


def _name_failures(names: Json, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for field in ("plural", "singular"):
        name = names.get(field) or ""
        if name and (errors := dns1035_errors(name)):
            causes.append(invalid(f"{path}.{field}", name, ",".join(errors)))
    for field in ("kind", "listKind"):
        name = names.get(field) or ""
        if name and (errors := dns1035_errors(name.lower())):
            detail = "may have mixed case, but should otherwise match: " + ",".join(errors)
            causes.append(invalid(f"{path}.{field}", name, detail))
    kind = names.get("kind")
    for field in ("shortNames", "categories"):
        if field == "categories" and kind and kind == names.get("listKind"):
            detail = "kind and listKind may not be the same"
            causes.append(invalid(f"{path}.listKind", kind, detail))
        for at, name in enumerate(names.get(field) or ()):
            if errors := dns1035_errors(name):
                causes.append(invalid(f"{path}.{field}[{at}]", name, ",".join(errors)))
    return causes


def _update_failures(spec: Json, old: Json) -> list[Cause]:
    was = old.get("spec") or {}
    names, old_names = spec.get("names") or {}, was.get("names") or {}
    causes: list[Cause] = []
    if established(old):
        if spec.get("scope") != was.get("scope"):
            causes.append(immutable("spec.scope", spec.get("scope")))
        if names.get("kind") != old_names.get("kind"):
            causes.append(immutable("spec.names.kind", names.get("kind")))
    if spec.get("group") != was.get("group"):
        causes.append(immutable("spec.group", spec.get("group")))
    if names.get("plural") != old_names.get("plural"):
        causes.append(immutable("spec.names.plural", names.get("plural")))
    return causes


def _stored_failures(new: Json) -> list[Cause]:
    stored: list[str] = (new.get("status") or {}).get("storedVersions") or []
    path = "status.storedVersions"
    if not stored:
        return [invalid(path, stored, "must have at least one stored version")]
    causes: list[Cause] = []
    known = set()
    for version in (new.get("spec") or {}).get("versions") or ():
        name = version.get("name")
        known.add(name)
        if version.get("storage") and name not in stored:
            causes.append(invalid(path, stored, f"must have the storage version {name}"))
    for at, name in enumerate(stored):
        if name not in known:
            detail = (
                f"missing from spec.versions; {name} was previously a storage version, and must "
                "remain in spec.versions until a storage migration ensures no data remains "
                f"persisted in {name} and removes {name} from status.storedVersions"
            )
            causes.append(invalid(f"{path}[{at}]", name, detail))
    return causes


def _approval_failures(new: Json, old: Json | None) -> list[Cause]:
    """Groups of Kubernetes' own domains need the annotation that says they were reviewed."""
    annotations = (new.get("metadata") or {}).get("annotations") or {}
    found = approval((new.get("spec") or {}).get("group") or "", annotations)
    if found is None or not found.refused:
        return []
    said = annotations.get(ANNOTATION, "")
    if old is not None:
        before = ((old.get("metadata") or {}).get("annotations") or {}).get(ANNOTATION, "")
        if before == said:
            return []
    path = f"metadata.annotations[{ANNOTATION}]"
    return [invalid(path, said, found.message) if said else required(path, found.message)]
