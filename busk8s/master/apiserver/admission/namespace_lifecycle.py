"""No object without its namespace, none new in one that ends, and some namespaces never end."""

from __future__ import annotations

from busk8s import errors
from busk8s.errors import Cause
from busk8s.master.apiserver.admission.plugin import Interest, Lookup, name_of
from busk8s.master.apiserver.attributes import Operation

IMMORTAL = frozenset({"default", "kube-system", "kube-public"})
EXEMPT = frozenset({"localsubjectaccessreviews.authorization.k8s.io"})


class NamespaceLifecycle:
    interest = Interest(kinds=frozenset({"CREATE", "DELETE"}), subresources=None)

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def admit(self, operation: Operation) -> None:
        attributes = operation.attributes
        resource = attributes.resource
        assert resource is not None
        if operation.kind == "DELETE":
            if resource.key == "namespaces" and attributes.name in IMMORTAL:
                raise errors.forbidden(
                    "namespaces", attributes.name, "this namespace may not be deleted"
                )
            return
        if not resource.namespaced or resource.key in EXEMPT:
            return
        namespace = self._lookup.get("namespaces", "", attributes.namespace)
        if namespace is None:
            raise errors.not_found("namespaces", attributes.namespace)
        if namespace.deleting:
            raise _terminating(operation)


def _terminating(operation: Operation) -> errors.Error:
    attributes = operation.attributes
    namespace = attributes.namespace
    error = errors.forbidden(
        attributes.plural,
        name_of(operation),
        f"unable to create new content in namespace {namespace} because it is being terminated",
        group=attributes.group,
    )
    error.causes = (
        Cause(
            "NamespaceTerminating",
            f"namespace {namespace} is being terminated",
            "metadata.namespace",
        ),
    )
    return error
