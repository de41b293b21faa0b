"""`exec`, `attach` and `portforward` of a pod: from the request to the upgraded connection.

Owns      the order permission, admission, options, handshake, node; the answers before a 101.
Leaves    what flows then (joining, forwarding), protocols (commands, ports).
Invariant nothing has begun on the node when a request is refused.
Source    upstream's pod subresources and httpstream's handshake.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable

from busk8s import errors
from busk8s.api.object import Json, Object
from busk8s.api.request import Duplex, Request, Response
from busk8s.bus.streams import Stream
from busk8s.master.apiserver.attributes import NodeStreams, Operation
from busk8s.master.apiserver.parts import Call, Parts
from busk8s.master.apiserver.read import find
from busk8s.master.apiserver.refusals import access_denied
from busk8s.master.apiserver.streaming import websocket
from busk8s.master.apiserver.streaming.commands import (
    SPDY_PROTOCOLS,
    V5,
    WEBSOCKET_PROTOCOLS,
    ChannelCommand,
    Command,
    SpdyCommand,
)
from busk8s.master.apiserver.streaming.forwarding import Forwarding
from busk8s.master.apiserver.streaming.joining import join
from busk8s.master.apiserver.streaming.options import (
    CommandOptions,
    checked,
    command_options,
    forward_ports,
    node_of,
)
from busk8s.master.apiserver.streaming.ports import (
    PORTS_PROTOCOLS,
    SPDY_FORWARD,
    TUNNEL,
    ChannelPorts,
    Ports,
    SpdyPorts,
    TunnelledPorts,
)

PROTOCOL_HEADER = "X-Stream-Protocol-Version"
TEXT = "text/plain; charset=utf-8"


async def exec_(parts: Parts, call: Call) -> Response:
    return await _command(parts, call, "exec", "PodExecOptions")


async def attach(parts: Parts, call: Call) -> Response:
    return await _command(parts, call, "attach", "PodAttachOptions")


async def forward(parts: Parts, call: Call) -> Response:
    request = call.request
    body: Json = {"kind": "PodPortForwardOptions", "apiVersion": "v1"}
    wanted = forward_ports(request)
    await _permit(parts, call, body | ({"ports": list(wanted)} if wanted else {}))
    pod = find(parts, call)
    node, streams = node_of(pod), _streams(parts)
    ports: Ports
    if _is_websocket(request):
        protocol = websocket.chosen(request.headers, (TUNNEL, *PORTS_PROTOCOLS))
        if protocol != TUNNEL and not wanted:
            raise errors.bad_request('query parameter "port" is required')
        ports = TunnelledPorts() if protocol == TUNNEL else ChannelPorts(protocol, wanted)
        headers = websocket.switching(request.headers, protocol)
    else:
        chosen = _spdy_protocol(request, (SPDY_FORWARD,))
        if isinstance(chosen, Response):
            return chosen
        ports, headers = SpdyPorts(), _spdy_headers(chosen)

    def connect(port: int) -> Stream:
        return streams.open(node, "forward", {**_named(pod), "port": port})

    async def upgraded(client: Duplex | None) -> None:
        if client is not None:
            await Forwarding(client, ports, connect, f"{pod.name}, uid {pod.uid}").run()

    return Response(101, headers=headers, upgrade=upgraded)


ACTIONS = {"exec": exec_, "attach": attach, "portforward": forward}


async def _command(parts: Parts, call: Call, verb: str, kind: str) -> Response:
    request = call.request
    options = command_options(request)
    await _permit(parts, call, options.said(kind))
    pod = find(parts, call)
    options = checked(options, pod)
    if verb == "exec" and not options.command:
        raise errors.bad_request("you must specify at least one command for the container")
    streams = _streams(parts)
    over_websocket = _is_websocket(request)
    if over_websocket:
        protocol = websocket.chosen(request.headers, WEBSOCKET_PROTOCOLS)
        headers = websocket.switching(request.headers, protocol)
    else:
        chosen = _spdy_protocol(request, SPDY_PROTOCOLS)
        if isinstance(chosen, Response):
            return chosen
        protocol, headers = chosen, _spdy_headers(chosen)
    params = {**_named(pod), **dataclasses.asdict(options)}
    node = streams.open(node_of(pod), verb, params, held=True)
    try:
        await node.granted()
    except errors.Error as error:
        # A client that has its Status on a channel is told there, as upstream tells it.
        if protocol != V5:
            return Response(error.code, error.message.encode(), TEXT)
        why = errors.internal(f"unable to upgrade connection: {error.message}")
        return Response(101, headers=headers, upgrade=_refusing(protocol, options, why))
    except BaseException:
        await node.aclose()
        raise

    async def upgraded(client: Duplex | None) -> None:
        if client is None:
            await node.aclose()
            return
        command: Command = (
            ChannelCommand(protocol, options) if over_websocket else SpdyCommand(protocol, options)
        )
        await join(client, command, node)

    return Response(101, headers=headers, upgrade=upgraded)


def _refusing(
    protocol: str, options: CommandOptions, why: errors.Error
) -> Callable[[Duplex | None], Awaitable[None]]:
    async def upgraded(client: Duplex | None) -> None:
        if client is not None:
            command = ChannelCommand(protocol, options)
            command.close(why)
            await client.write(command.unsent())

    return upgraded


async def _permit(parts: Parts, call: Call, options: Json) -> None:
    """A GET may not do what `create` is needed for, whatever protocol it asks for (since 1.35)."""
    attributes = call.attributes
    if attributes.verb != "create":
        needed = dataclasses.replace(attributes, verb="create")
        reason = parts.authorizer.authorize(needed)
        if reason is not None:
            raise access_denied(needed, reason)
    operation = Operation(attributes, "CONNECT", options)
    await parts.admission.mutate(operation)
    await parts.admission.validate(operation)
    if not call.request.upgrade:
        raise errors.bad_request("Upgrade request required")


def _streams(parts: Parts) -> NodeStreams:
    if parts.streams is None:
        raise errors.Error(501, "NotImplemented", "streams are not available on this server")
    return parts.streams


def _named(pod: Object) -> Json:
    return {"namespace": pod.namespace, "pod": pod.name, "uid": pod.uid}


def _is_websocket(request: Request) -> bool:
    return request.headers.get("upgrade", "").lower() == "websocket"


def _spdy_protocol(request: Request, served: tuple[str, ...]) -> str | Response:
    """The first that the client says and we serve; or what it is refused with."""
    if request.headers.get("upgrade", "").lower() != "spdy/3.1":
        asked_for = request.headers.get("upgrade", "")
        why = f"unable to upgrade: missing upgrade headers in request: {asked_for}"
        return Response(400, why.encode(), TEXT)
    said = request.headers.get(PROTOCOL_HEADER.lower(), "")
    asked = [one for part in said.split(",") if (one := part.strip())]
    if not asked:
        why = f"unable to upgrade: {PROTOCOL_HEADER} is required"
        return Response(400, why.encode(), TEXT)
    found = next((one for one in asked if one in served), None)
    if found is not None:
        return found
    why = (
        f"unable to upgrade: unable to negotiate protocol: client supports [{' '.join(asked)}], "
        f"server accepts [{' '.join(served)}]"
    )
    accepted = tuple(("X-Accepted-Stream-Protocol-Versions", one) for one in served)
    return Response(403, why.encode(), TEXT, accepted)


def _spdy_headers(protocol: str) -> tuple[tuple[str, str], ...]:
    return (("Upgrade", "SPDY/3.1"), ("Connection", "Upgrade"), (PROTOCOL_HEADER, protocol))
