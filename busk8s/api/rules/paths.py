"""Paths inside of a volume, and paths of a host: where they may not lead.

Source    The rules of core validation.
"""

from __future__ import annotations

from busk8s.api.rules.cause import invalid
from busk8s.errors import Cause


def no_way_up(where: str, path: str) -> list[Cause]:
    return [invalid(path, where, "must not contain '..'")] if ".." in where.split("/") else []


def relative_path(where: str, path: str) -> list[Cause]:
    causes = []
    if where.startswith("/"):
        causes.append(invalid(path, where, "must be a relative path"))
    return causes + no_way_up(where, path)


def inside_path(where: str, path: str) -> list[Cause]:
    """A file of a volume whose writer keeps names that begin with `..` to itself."""
    causes = relative_path(where, path)
    if where.startswith("..") and where.partition("/")[0] != "..":
        causes.append(invalid(path, where, "must not start with '..'"))
    return causes
