"""A CertificateSigningRequest says who made it, and never changes what it asks for."""

from __future__ import annotations

from busk8s.api.object import Json
from busk8s.api.request import User


def author(data: Json, user: User) -> None:
    """Whatever a client says of its author is replaced by who it is."""
    spec = data["spec"]
    for key in ("username", "uid", "groups", "extra"):
        spec.pop(key, None)
    spec["username"] = user.name
    if user.uid:
        spec["uid"] = user.uid
    if user.groups:
        spec["groups"] = list(user.groups)
    if user.extra:
        spec["extra"] = {key: list(values) for key, values in user.extra.items()}


def on_update(new: Json, old: Json) -> None:
    new["spec"] = old["spec"]
