"""What a request for `exec`, `attach` or `portforward` asks for, and where its pod is.

Owns      options from the query, the container, upstream's refusals and their words.
Leaves    who may (authz, admission), how it is carried.
Source    upstream's pod strategy (streamLocation) and the kubelet's remotecommand options.
"""

from __future__ import annotations

from dataclasses import dataclass

from busk8s import errors
from busk8s.api.object import Json, Object
from busk8s.api.request import Request
from busk8s.master.apiserver import rest


@dataclass(frozen=True, slots=True)
class CommandOptions:
    container: str
    command: tuple[str, ...]
    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool

    def said(self, kind: str) -> Json:
        """As the object that admission sees."""
        body: Json = {"kind": kind, "apiVersion": "v1"}
        body |= {n: True for n in ("stdin", "stdout", "stderr", "tty") if getattr(self, n)}
        if self.container:
            body["container"] = self.container
        return body | ({"command": list(self.command)} if self.command else {})


def command_options(request: Request) -> CommandOptions:
    """Raises 400. `attach` defaults to both outputs only when they are asked for, as upstream."""
    return CommandOptions(
        request.param("container"),
        tuple(request.query.get("command", ())),
        *(rest.flag(request, name) for name in ("stdin", "stdout", "stderr", "tty")),
    )


def checked(options: CommandOptions, pod: Object) -> CommandOptions:
    """With its container; what the node would refuse is refused here. Raises 400."""
    container = choose_container(pod.data, options.container)
    node_of(pod)
    stderr = options.stderr and not options.tty
    if not (options.stdin or options.stdout or stderr):
        raise errors.bad_request("you must specify at least 1 of stdin, stdout, stderr")
    return CommandOptions(
        container, options.command, options.stdin, options.stdout, stderr, options.tty
    )


def choose_container(pod: Json, wanted: str) -> str:
    name, spec = pod["metadata"]["name"], pod["spec"]
    keys = ("containers", "initContainers", "ephemeralContainers")
    plain, init, ephemeral = ([c["name"] for c in spec.get(key) or ()] for key in keys)
    if wanted:
        if wanted in (*plain, *init, *ephemeral):
            return wanted
        raise errors.bad_request(f"container {wanted} is not valid for pod {name}")
    if len(plain) == 1:
        return str(plain[0])
    message = f"a container name must be specified for pod {name}"
    if plain:
        message += f", choose one of: [{' '.join(plain)}]"
        if init:
            message += f" or one of the init containers: [{' '.join(init)}]"
        if ephemeral:
            message += f" or one of the ephemeral containers: [{' '.join(ephemeral)}]"
    raise errors.bad_request(message)


def node_of(pod: Object) -> str:
    node = str(pod.data["spec"].get("nodeName") or "")
    if not node:
        raise errors.bad_request(f"pod {pod.name} does not have a host assigned")
    return node


def forward_ports(request: Request) -> tuple[int, ...]:
    """The `ports` of a WebSocket; SPDY names them stream by stream. Raises 400."""
    found = []
    for text in (p for value in request.query.get("ports", ()) for p in value.split(",")):
        port = port_of(text)
        if port is None:
            raise errors.bad_request(f'unable to parse "{text}" as a port')
        found.append(port)
    return tuple(found)


def port_of(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        return None
    return int(text) if 0 < int(text) < 65536 else None
