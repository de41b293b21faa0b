"""The short commands: what each asks, and what it prints."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from busk8s.cli import api, output
from busk8s.config import ConfigError, DataDir
from busk8s.errors import Error

SECRETS = "/api/v1/namespaces/kube-system/secrets"


def token_create(data: DataDir, *, ttl_s: float, description: str, now: float) -> None:
    """Print one join URL."""
    from busk8s.bus.joining import Invitation
    from busk8s.master.apiserver import tokens

    said = api.endpoints(data)
    token = tokens.generate()
    expires_at = now + ttl_s if ttl_s else None
    secret = tokens.to_secret(token, expires_at=expires_at, description=description)
    api.ask(data, "POST", SECRETS, secret)
    invitation = Invitation(
        token.id, token.secret, said["host"], int(said["requests_port"]), said["server_key"]
    )
    output.data(invitation.render())


def token_list(data: DataDir) -> None:
    from busk8s.master.apiserver import tokens

    field = f"type%3D{tokens.SECRET_TYPE.replace('/', '%2F')}"
    found = api.ask(data, "GET", f"{SECRETS}?fieldSelector={field}")
    rows = []
    for secret in found["items"]:
        told = tokens.fields(secret)
        use = "join" if told.get("usage-bootstrap-authentication") == "true" else "none"
        expires = told.get("expiration", "never")
        rows.append((told.get("token-id", "?"), expires, use, told.get("description", "")))
    output.table(("ID", "EXPIRES", "USE", "DESCRIPTION"), rows)


def token_revoke(data: DataDir, token: str) -> None:
    """By id, by the whole token, or by the join URL that holds it."""
    from busk8s.master.apiserver import tokens

    text = token.removeprefix("busk8s://").partition("@")[0].partition(".")[0]
    try:
        api.ask(data, "DELETE", f"{SECRETS}/{tokens.NAME_PREFIX}{text}")
    except Error as error:
        if error.code != 404:
            raise
        raise ConfigError(f"there is no token {text!r}; `busk8s token list` shows them") from None
    output.say(f"token {text} revoked: it lets no further worker in")


def rotate_encryption_key(data: DataDir) -> None:
    from busk8s.master.store.base import StoreError
    from busk8s.master.store.rotation import rotate

    data.not_in_use()
    try:
        count = rotate(data.database, data.encryption_keys)
    except StoreError as error:
        raise ConfigError(str(error)) from None
    output.say(f"{count} rows of Secrets sealed with a new key in {data.encryption_keys}")


def kubeconfig(data: DataDir, *, token: bool) -> None:
    from busk8s.master.apiserver import kubeconfig as form
    from busk8s.master.apiserver.pki import Pki

    url = str(api.endpoints(data)["url"])
    output.data(form.of_admin(Pki(data.pki), url, data.identified(), token=token))


def status(data: DataDir) -> bool:
    """Print what runs; True when all is well."""
    said = api.endpoints(data)
    try:
        ready = str(api.ask(data, "GET", "/readyz")).strip() == "ok"
    except Error:
        ready = False
    nodes = api.ask(data, "GET", "/api/v1/nodes")["items"]
    pods = api.ask(data, "GET", "/api/v1/pods")["items"]
    counts = (str(len(nodes)), str(len(pods)))
    row = (data.identified(), said["url"], _yes(ready), *counts, str(data.path))
    output.table(("CLUSTER", "API", "READY", "NODES", "PODS", "DATA DIRECTORY"), [row])
    if nodes:
        output.data("")
        output.table(
            ("NODE", "READY", "ADDRESS", "PODS", "SINCE"), [_node_row(n, pods) for n in nodes]
        )
    return ready and all(_condition(n).get("status") == "True" for n in nodes)


def _node_row(node: Any, pods: Sequence[Any]) -> tuple[str, str, str, str, str]:
    name = node["metadata"]["name"]
    addresses = (node.get("status") or {}).get("addresses") or [{}]
    here = sum(1 for pod in pods if pod["spec"].get("nodeName") == name)
    ready = _condition(node)
    said = {"True": "yes", "False": "no"}.get(ready.get("status", ""), "unknown")
    since = ready.get("lastTransitionTime", "")
    return (name, said, addresses[0].get("address", ""), str(here), since)


def _condition(node: Any) -> dict[str, str]:
    conditions = (node.get("status") or {}).get("conditions") or ()
    return next((c for c in conditions if c["type"] == "Ready"), {})


def _yes(value: bool) -> str:
    return "yes" if value else "no"


async def tap(data: DataDir) -> None:
    """Print what passes on the bus until interrupted: time, direction, peer, what, size."""
    from busk8s.master.app import master_link

    api.endpoints(data)
    data.identify()
    output.say("time            dir  peer  topic or verb  object  bytes")
    async with master_link("admin", data) as link:
        async for frame in link.tap():
            if frame.dropped:
                output.data(f"... {frame.dropped} not shown: this tap was too slow")
            for at, peer, direction, topic, what, size in frame.events:
                moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
                stamp = moment.strftime("%H:%M:%S.%f")[:-3]
                output.data(f"{stamp}  {direction:>3}  {peer}  {topic}  {what}  {size}")
