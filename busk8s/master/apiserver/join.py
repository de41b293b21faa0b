"""How a stranger becomes a node, from the master's side: names, keys, pod subnets.

Owns      the decision on a Join, allocating pod subnets.
Leaves    what makes a token good (tokens), storing (dispatch), the peer's map of keys
          (apiserver/bus), the URL (bus/joining).
Invariant a name belongs to one key until its Node is deleted; no two Nodes share a pod subnet.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterable

import orjson

from busk8s.api.object import Json, Object
from busk8s.api.request import Request, Response, User
from busk8s.clock import Clock
from busk8s.errors import Error, bad_request, unauthorized
from busk8s.master.apiserver import tokens
from busk8s.master.store.watch import WatchCache
from busk8s.protocol import Join

# Differs from Kubernetes: no CSR; the worker is known by its CURVE key, kept on its Node.
PUBLIC_KEY = "busk8s.io/public-key"  # The annotation that ties a Node to its worker's key (z85).
POD_NETWORK = "10.244.0.0/16"
NODE_PREFIX = 24
NODE_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
NODE_NAME_MAX = 253
# Labels under kubernetes.io that a worker may give itself, as NodeRestriction has it.
OWN_LABELS = frozenset(
    (
        "kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch",
        "topology.kubernetes.io/zone", "topology.kubernetes.io/region",
        "node.kubernetes.io/instance-type",
    )
)  # fmt: skip
OURS = User("system:apiserver", ("system:masters", "system:authenticated"))

Dispatch = Callable[[Request], Awaitable[Response]]


# --- subnets --------------------------------------------------------------------------------------


def free_subnet(taken: Iterable[str], network: str = POD_NETWORK) -> str:
    """The lowest subnet of `network` that overlaps none of `taken`. Raises Error when full."""
    used = []
    for text in taken:
        try:
            used.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            continue  # A Node made by hand may carry anything; it takes nothing of ours then.
    exact = frozenset(used)
    odd = [subnet for subnet in used if subnet.prefixlen != NODE_PREFIX and subnet.version == 4]
    for subnet in ipaddress.IPv4Network(network).subnets(new_prefix=NODE_PREFIX):
        if subnet not in exact and not any(subnet.overlaps(other) for other in odd):
            return str(subnet)
    raise Error(507, "InsufficientStorage", f"no pod subnet is left in {network}: delete a Node")


# --- joining --------------------------------------------------------------------------------------


class Joiner:
    """Decides on Joins; `cache` is read, all writing goes through `dispatch`."""

    def __init__(
        self,
        cache: WatchCache,
        dispatch: Dispatch,
        *,
        clock: Clock,
        ports: Callable[[], Json],
        network: str = POD_NETWORK,
    ) -> None:
        self._cache, self._dispatch, self._clock = cache, dispatch, clock
        self._ports, self._network = ports, network
        self._reserved: dict[str, str] = {}  # node -> subnet, while its Node is being written.

    async def join(self, key: str, message: Join) -> Response:
        try:
            self._check(key, message)
            return await self._take_in(key, message)
        except Error as error:
            return Response(error.code, orjson.dumps(error.to_status()))

    def _check(self, key: str, message: Join) -> None:
        if not re.fullmatch(r"[a-z0-9]{6}", message.token_id):
            raise bad_request("the token is malformed: it looks like abcdef.0123456789abcdef")
        token = tokens.Token(message.token_id, message.token_secret)
        secret = self._cache.get("secrets", tokens.NAMESPACE, token.secret_name)
        why = tokens.why_not(token, secret.data if secret else None, self._clock.now())
        if why is not None:
            raise unauthorized(f"{why}; get a new one with: busk8s token create")
        if len(message.node) > NODE_NAME_MAX or not NODE_NAME.fullmatch(message.node):
            raise bad_request(
                f'"{message.node[:80]}" cannot be a node\'s name: use lower case letters, digits, '
                '"-" and ".", beginning and ending with a letter or digit'
            )
        for node in self._cache.list("nodes"):
            if public_key(node) == key and node.name != message.node:
                raise _taken(
                    message.node,
                    f'this worker\'s key already belongs to node "{node.name}": join under that '
                    "name, or remove the key file of the worker",
                )

    async def _take_in(self, key: str, message: Join) -> Response:
        name = message.node
        node = self._cache.get("nodes", "", name)
        if node is not None and (owner := public_key(node)) is not None:
            if owner != key:
                raise _taken(
                    name,
                    "another worker joined under this name: choose another with --name, or free "
                    f"it with: kubectl delete node {name}",
                )
            return self._welcome(node.data)
        if name in self._reserved:
            raise _taken(name, "another worker is joining under this name right now")
        self._reserved[name] = self._subnet(node)
        try:
            if node is None:
                request = self._creation(key, message)
            else:
                request = self._claim(key, node)
            answer = await self._dispatch(request)
        finally:
            subnet = self._reserved.pop(name)
        if answer.status >= 400:
            raise Error.from_status(orjson.loads(answer.body))
        data: Json = orjson.loads(answer.body)
        data.setdefault("spec", {}).setdefault("podCIDR", subnet)
        return self._welcome(data)

    def _subnet(self, node: Object | None) -> str:
        """The Node's own subnet, or a free one; reserved before anything is awaited."""
        if node is not None and (own := _subnet_of(node.data)):
            return own
        taken = [s for n in self._cache.list("nodes") if (s := _subnet_of(n.data))]
        return free_subnet([*taken, *self._reserved.values()], self._network)

    def _creation(self, key: str, message: Join) -> Request:
        subnet = self._reserved[message.node]
        node: Json = {
            "kind": "Node",
            "apiVersion": "v1",
            "metadata": {
                "name": message.node,
                "labels": {"kubernetes.io/hostname": message.node} | _labels(message.info),
                "annotations": {PUBLIC_KEY: key},
            },
            "spec": {"podCIDR": subnet, "podCIDRs": [subnet]},
        }
        return Request("POST", "/api/v1/nodes", user=OURS, body=orjson.dumps(node))

    def _claim(self, key: str, node: Object) -> Request:
        """An admin made this Node for whoever comes first; the revision decides who that is."""
        patch: Json = {
            "metadata": {
                "resourceVersion": str(node.revision),
                "annotations": {PUBLIC_KEY: key},
            },
        }
        if not _subnet_of(node.data):
            subnet = self._reserved[node.name]
            patch["spec"] = {"podCIDR": subnet, "podCIDRs": [subnet]}
        return Request(
            "PATCH",
            f"/api/v1/nodes/{node.name}",
            user=OURS,
            body=orjson.dumps(patch),
            content_type="application/merge-patch+json",
        )

    def _welcome(self, node: Json) -> Response:
        name = node["metadata"]["name"]
        body = {"node": name, "podCIDR": _subnet_of(node)} | self._ports()
        return Response(200, orjson.dumps(body))


def public_key(node: Object) -> str | None:
    """The key of the worker this Node belongs to; None: nobody's yet."""
    key: str | None = (node.metadata.get("annotations") or {}).get(PUBLIC_KEY)
    return key or None


def _subnet_of(node: Json) -> str:
    return str((node.get("spec") or {}).get("podCIDR") or "")


def _labels(info: bytes) -> dict[str, str]:
    """The labels a worker asks for, without those that are not its to give."""
    try:
        found = orjson.loads(info) if info else {}
    except orjson.JSONDecodeError:
        raise bad_request("the node's info is not JSON") from None
    labels = found.get("labels") if isinstance(found, dict) else None
    if labels is not None and not isinstance(labels, dict):
        raise bad_request("the node's labels are not a map")
    return {
        key: str(value)
        for key, value in (labels or {}).items()
        if key in OWN_LABELS or not key.split("/")[0].endswith(("kubernetes.io", "k8s.io"))
    }


def _taken(name: str, why: str) -> Error:
    message = f'node name "{name}" is taken: {why}'
    return Error(409, "AlreadyExists", message, kind="nodes", name=name)
