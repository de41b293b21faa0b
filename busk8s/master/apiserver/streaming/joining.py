"""A client's streams and a node's, joined until either ends.

Owns      the order: the client's streams first, then the command; then bytes both ways.
Leaves    protocols (commands), the way to the node (bus streams).
Invariant one piece is under way each way; whoever is slow holds the other back.
"""

from __future__ import annotations

import asyncio

from busk8s.api.request import Duplex
from busk8s.bus.streams import Stream, StreamOver
from busk8s.errors import Error
from busk8s.master.apiserver.streaming.commands import ClientBroken, Command
from busk8s.tasks import supervise

STREAMS_S = 30.0  # Until the client has made its streams; upstream's time.
LINGER_S = 2.0  # Until a client that has its Status hangs up.


async def join(client: Duplex, command: Command, node: Stream) -> None:
    """Returns when it is over, for whatever reason."""
    try:
        await client.write(command.unsent())
        async with asyncio.timeout(STREAMS_S):
            while not command.ready:
                await _take(client, command, node)
        node.grant()
        await supervise(_incoming(client, command, node), _outgoing(client, command, node))
    except (ClientBroken, TimeoutError, OSError):
        return
    finally:
        await node.aclose()


async def _take(client: Duplex, command: Command, node: Stream) -> None:
    data = await client.read()
    if not data:
        raise ClientBroken("the client is gone")
    for piece in command.receive(data):
        try:
            await node.write(piece.data, piece.channel, last=piece.last)
        except StreamOver:
            pass  # It has ended: what is still typed goes nowhere, its Status is on its way.
    if due := command.unsent():
        await client.write(due)


async def _incoming(client: Duplex, command: Command, node: Stream) -> None:
    while True:
        await _take(client, command, node)


async def _outgoing(client: Duplex, command: Command, node: Stream) -> None:
    error: Error | None = None
    try:
        while (piece := await node.read()) is not None:
            if piece.data:
                command.output(piece.channel, piece.data)
                await client.write(command.unsent())
    except Error as failure:
        error = failure
    command.close(error)
    await client.write(command.unsent())
    await asyncio.sleep(LINGER_S)  # `_incoming` ends this when the client hangs up.
