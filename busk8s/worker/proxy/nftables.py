"""Keeps the kernel's table equal to a `Ruleset`: one transaction a change, none if nothing changed.

Owns      the table `ip busk8s_<cluster>`: made, changed, checked, removed.
Leaves    what is in it (rules.py).
Invariant a transaction applies as a whole or not at all; after one that failed, or when somebody
          else changed the table, the whole table is made anew in one transaction.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import struct

from busk8s.log import Logger
from busk8s.worker.proxy.rules import Ruleset, difference, replace

log = Logger(__name__)
NETLINK_NETFILTER = 12
NFT_MSG_GETGEN = 10 << 8 | 16  # subsystem nftables
DELETE_MISSING_OK = ("add table {table}", "delete table {table}")


class NftFailed(Exception):
    """nft refused; the message is its own."""


def available() -> bool:
    return shutil.which("nft") is not None


def table_name(cluster: str) -> str:
    """`cluster`: supervisor.cluster_name of the worker's directory, so several can share a host."""
    return f"ip busk8s_{cluster}"


class NftTable:
    def __init__(self, cluster: str) -> None:
        self.table = table_name(cluster)
        self._applied: Ruleset | None = None
        self._signature = ""  # the listing as we left it, once it was needed
        self._generation = 0

    async def apply(self, new: Ruleset) -> int:
        """How many commands it took."""
        if self._applied is not None:
            commands = difference(self.table, self._applied, new)
            if not commands:
                return 0
            try:
                await self._run(commands)
            except NftFailed as failure:
                log.warning("the table is not what we made; making it anew", why=failure)
            else:
                return self._done(new, len(commands))
        commands = replace(self.table, new)
        await self._run(commands)
        return self._done(new, len(commands))

    async def check(self) -> bool:
        """Whether the table is still as we left it; if not, make it anew.

        The kernel counts the changes of all tables. As long as nobody but us made one, there is
        nothing to look at; a listing of a thousand services costs 0.2 s.
        """
        if self._applied is None:
            return True
        generation = ruleset_generation()
        if generation == self._generation:
            self._signature = self._signature or await self._listing()
            return True
        if self._signature and await self._listing() == self._signature:
            self._generation = generation  # another table's change
            return True
        if self._signature:
            log.warning("somebody changed our table; making it anew", table=self.table)
        known = bool(self._signature)
        new, self._applied = self._applied, None
        await self.apply(new)
        # Now, or two clusters on one host would each take the other's mending for a change.
        self._signature = await self._listing()
        return not known

    async def remove(self) -> None:
        """Idempotent."""
        await self._run([text.format(table=self.table) for text in DELETE_MISSING_OK])
        self._applied = None

    def _done(self, new: Ruleset, commands: int) -> int:
        self._applied, self._signature = new, ""
        self._generation = ruleset_generation()
        return commands

    async def _listing(self) -> str:
        """Chains and rules, without the contents of sets, which change by themselves."""
        try:
            return await nft("-t", "list", "table", *self.table.split())
        except NftFailed:
            return "gone"

    async def _run(self, commands: list[str]) -> None:
        await nft("-f", "-", stdin="\n".join(commands) + "\n")


def ruleset_generation() -> int:
    """How many changes the rules of this network namespace have seen, by anybody."""
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_NETLINK, kind, NETLINK_NETFILTER) as kernel:
        kernel.send(struct.pack("=IHHIIBBH", 20, NFT_MSG_GETGEN, 1, 1, 0, 0, 0, 0))
        answer = kernel.recv(4096)
    body = answer[20:]  # netlink and nfnetlink headers; then the id is the first attribute
    return int.from_bytes(body[4:8], "big") if len(body) >= 8 else 0


async def others(mine: NftTable) -> list[str]:
    """Tables of other workers in this network namespace."""
    lines = (await nft("list", "tables", "ip")).splitlines()
    tables = [line.removeprefix("table ") for line in lines]
    return [name for name in tables if name.startswith("ip busk8s_") and name != mine.table]


async def nft(*arguments: str, stdin: str = "") -> str:
    child = await asyncio.create_subprocess_exec(
        "nft", *arguments,
        stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await child.communicate(stdin.encode() if stdin else None)
    if child.returncode:
        raise NftFailed(err.decode(errors="replace")[:2000].strip())
    return out.decode(errors="replace")
