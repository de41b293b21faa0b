"""How a stranger becomes a node, from the master's side: tokens, names, keys, pod subnets.

Owns      bootstrap-token Secrets as data, the decision on a Join, allocating pod subnets.
Leaves    storing (dispatch), the peer's map of keys (apiserver/bus), the URL (bus/joining).
Invariant a name belongs to one key until its Node is deleted; no two Nodes share a pod subnet.
"""

from __future__ import annotations

import hmac
import ipaddress
import random
import re
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from busk8s.api.object import Json, Object
from busk8s.api.request import Request, Response, User
from busk8s.clock import Clock
from busk8s.errors import Error, bad_request, unauthorized
from busk8s.master.store.watch import WatchCache
from busk8s.protocol import Join

# Differs from Kubernetes: no CSR; the worker is known by its CURVE key, kept on its Node.
PUBLIC_KEY = "busk8s.io/public-key"  # The annotation that ties a Node to its worker's key (z85).
TOKEN_TYPE = "bootstrap.kubernetes.io/token"
TOKEN_NAMESPACE = "kube-system"
TOKEN_TTL_S = 24 * 3600.0
TOKEN_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
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


# --- tokens ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Token:
    """A bootstrap token as `busk8s token list` shows it, and its secret."""

    id: str
    secret: str
    expires_at: float | None
    usable: bool
    description: str = ""

    @property
    def text(self) -> str:
        return f"{self.id}.{self.secret}"


def new_token(
    rng: random.Random, now: float, *, ttl_s: float = TOKEN_TTL_S, description: str = ""
) -> Token:
    """A fresh token; `rng` must be a `random.SystemRandom` outside of tests. ttl 0: for ever."""
    text = "".join(rng.choices(TOKEN_ALPHABET, k=22))
    return Token(text[:6], text[6:], now + ttl_s if ttl_s else None, True, description)


def token_secret_name(token_id: str) -> str:
    return f"bootstrap-token-{token_id}"


def render_token(token: Token) -> Json:
    """The Secret that is the token: create it to issue, delete it to revoke."""
    data = {
        "token-id": token.id,
        "token-secret": token.secret,
        "usage-bootstrap-authentication": "true" if token.usable else "false",
        "auth-extra-groups": "system:bootstrappers:busk8s:workers",
    }
    if token.expires_at is not None:
        moment = datetime.fromtimestamp(int(token.expires_at), UTC)
        data["expiration"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    if token.description:
        data["description"] = token.description
    return {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": {"name": token_secret_name(token.id), "namespace": TOKEN_NAMESPACE},
        "type": TOKEN_TYPE,
        "data": {name: b64encode(value.encode()).decode() for name, value in data.items()},
    }


def parse_token(secret: Json) -> Token | None:
    """The token in a Secret; None if the Secret is no (readable) bootstrap token."""
    if secret.get("type") != TOKEN_TYPE:
        return None
    try:
        data = {k: b64decode(v).decode() for k, v in (secret.get("data") or {}).items()}
        expires = data.get("expiration")
        expires_at = datetime.fromisoformat(expires).timestamp() if expires else None
    except ValueError:
        return None
    if not data.get("token-id") or not data.get("token-secret"):
        return None
    usable = data.get("usage-bootstrap-authentication") == "true"
    description = data.get("description", "")
    return Token(data["token-id"], data["token-secret"], expires_at, usable, description)


def tokens(secrets: Iterable[Object]) -> list[Token]:
    """Every bootstrap token among the Secrets of kube-system."""
    found = (parse_token(secret.data) for secret in secrets)
    return [token for token in found if token is not None]


def check_token(token: Token | None, message: Join, now: float) -> None:
    """Raises Error (401) that says which of unknown, wrong, expired or not meant for it."""
    secret = token.secret if token is not None else ""
    # Compared even when there is no token, so that time does not tell which ids exist.
    right = hmac.compare_digest(secret.encode(), message.token_secret.encode())
    if token is None or not right:
        raise unauthorized(
            f'token "{message.token_id[:16]}" is not valid: never issued, revoked, or mistyped; '
            "get a new one with: busk8s token create"
        )
    if token.expires_at is not None and now >= token.expires_at:
        when = datetime.fromtimestamp(token.expires_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        raise unauthorized(
            f'token "{token.id}" expired at {when}; get a new one with: busk8s token create'
        )
    if not token.usable:
        raise unauthorized(f'token "{token.id}" may not be used to join')


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
        name = token_secret_name(message.token_id)
        secret = self._cache.get("secrets", TOKEN_NAMESPACE, name)
        token = parse_token(secret.data) if secret is not None else None
        check_token(token, message, self._clock.now())
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
