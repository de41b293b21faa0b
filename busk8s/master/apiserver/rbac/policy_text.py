"""The short form in which default policies are written here.

Owns      reading `verbs | groups | resources | names` and `verbs | url | paths` into rules.
Leaves    the policies themselves (cluster_policy, controller_policy, namespace_policy).

`core` is the group "". The words `read`, `write` and `all` stand for the usual verbs, and a line
`events` for writing Events in both groups.
"""

from __future__ import annotations

from collections.abc import Mapping

from busk8s.api.object import Json

API_VERSION = "rbac.authorization.k8s.io/v1"
GROUP = "rbac.authorization.k8s.io"
AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
_READ = ("get", "list", "watch")
_WRITE = ("create", "delete", "deletecollection", "patch", "update")
_WORDS = {"read": _READ, "write": _WRITE, "all": (*_READ, *_WRITE)}
_EVENTS = "create patch update | core events.k8s.io | events"


def rules(text: str) -> list[Json]:
    """One rule a line, its lists sorted as upstream has them."""
    lines = (line.strip() for line in text.splitlines())
    return [_rule(_EVENTS if line == "events" else line) for line in lines if line]


def _rule(line: str) -> Json:
    verbs, groups, things, *names = (part.split() for part in line.split("|"))
    said = sorted({verb for word in verbs for verb in _WORDS.get(word, (word,))})
    if groups == ["url"]:
        return {"verbs": said, "nonResourceURLs": sorted(things)}
    rule: Json = {
        "verbs": said,
        "apiGroups": sorted("" if group == "core" else group for group in groups),
        "resources": sorted(things),
    }
    if names:
        rule["resourceNames"] = sorted(names[0])
    return rule


def made(kind: str, name: str, labels: Mapping[str, str] | None = None, **more: str) -> Json:
    """A default object without what it says: marked as ours to keep up to date."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {
            "name": name,
            **more,
            "labels": {"kubernetes.io/bootstrapping": "rbac-defaults", **(labels or {})},
            "annotations": {AUTOUPDATE: "true"},
        },
    }


def reference(kind: str, name: str) -> Json:
    return {"apiGroup": GROUP, "kind": kind, "name": name}


def subject(text: str) -> Json:
    """`user NAME`, `group NAME` or `account NAMESPACE/NAME`."""
    kind, _, name = text.partition(" ")
    if kind == "account":
        namespace, _, name = name.partition("/")
        return {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    return {"apiGroup": GROUP, "kind": kind.title(), "name": name}
