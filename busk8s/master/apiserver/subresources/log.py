"""A pod's `log`: which container's, with which options, streamed from its node.

Owns      PodLogOptions from the query, the choice of the container, upstream's refusals.
Leaves    reading the files (kubelet), the way there (NodeStreams).
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from busk8s import errors
from busk8s.api.meta import parse_time
from busk8s.api.object import Json
from busk8s.api.request import Request, Response
from busk8s.master.apiserver import rest
from busk8s.master.apiserver.parts import Call, Parts
from busk8s.master.apiserver.read import find

TEXT = "text/plain"
_STREAMS = ("All", "Stdout", "Stderr")
_NUMBERS = (("tailLines", 0), ("sinceSeconds", 1), ("limitBytes", 1))


async def get(parts: Parts, call: Call) -> Response:
    params = log_options(call.request)
    pod = find(parts, call)
    params["container"] = choose_container(pod.data, params.get("container", ""))
    refuse_waiting(pod.data, params["container"], previous=bool(params.get("previous")))
    node = pod.data["spec"].get("nodeName")
    if not node:  # Upstream answers with nothing for a pod that no node has.
        return Response(200, b"", TEXT)
    if parts.streams is None:
        raise errors.Error(501, "NotImplemented", "log streams are not available on this server")
    params |= {"namespace": pod.namespace, "pod": pod.name, "uid": pod.uid}
    chunks = parts.streams.open(node, "log", params)
    # The first chunk is awaited here, so that a node's refusal is still a Status.
    first = await anext(chunks, None)
    if first is None:
        return Response(200, b"", TEXT)
    return Response(200, b"", TEXT, stream=_after(first, chunks))


async def _after(first: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    try:
        yield first
        async for chunk in chunks:
            yield chunk
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()


def log_options(request: Request) -> Json:
    """PodLogOptions as JSON, absent ones left out; raises 400 and 422."""
    said: Json = {}
    causes: list[errors.Cause] = []
    if container := request.param("container"):
        said["container"] = container
    for name in ("follow", "previous", "timestamps", "insecureSkipTLSVerifyBackend"):
        if rest.flag(request, name):
            said[name] = True
    for name, least in _NUMBERS:
        number = rest.integer(request, name)
        if number is None:
            continue
        said[name] = number
        if number < least:
            why = f"Invalid value: {number}: must be greater than or equal to {least}"
            causes.append(errors.Cause("FieldValueInvalid", why, name))
    _read_since(request, said, causes)
    stream = request.param("stream")
    if stream and stream not in _STREAMS:
        why = f'Unsupported value: "{stream}": supported values: ' + ", ".join(
            f'"{one}"' for one in _STREAMS
        )
        causes.append(errors.Cause("FieldValueNotSupported", why, "stream"))
    elif stream and stream != "All":
        said["stream"] = stream
        if "tailLines" in said:
            why = "Forbidden: `tailLines` and specific `stream` are mutually exclusive for now"
            causes.append(errors.Cause("FieldValueForbidden", why, ""))
    if causes:
        raise errors.invalid("PodLogOptions", "", causes)
    return said


def _read_since(request: Request, said: Json, causes: list[errors.Cause]) -> None:
    since = request.param("sinceTime")
    if not since:
        return
    try:
        parse_time(since)
    except ValueError:
        raise errors.bad_request(
            f'sinceTime: parsing time "{since}": not an RFC 3339 time'
        ) from None
    said["sinceTime"] = since
    if "sinceSeconds" in said:
        why = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        causes.append(errors.Cause("FieldValueForbidden", why, ""))


def choose_container(pod: Json, wanted: str) -> str:
    """The container to read: the one named, or the only one."""
    name, spec = pod["metadata"]["name"], pod["spec"]
    groups = [_names(spec, key) for key in ("containers", "initContainers", "ephemeralContainers")]
    plain, init, ephemeral = groups
    if wanted:
        if any(wanted in group for group in groups):
            return wanted
        raise errors.bad_request(f"container {wanted} is not valid for pod {name}")
    if len(plain) == 1 and not init and not ephemeral:
        return plain[0]
    if not plain:
        raise errors.bad_request(f"a container name must be specified for pod {name}")
    message = f"a container name must be specified for pod {name}, choose one of: "
    message += _listed(plain)
    if init:
        message += f" or one of the init containers: {_listed(init)}"
    if ephemeral:
        message += f" or one of the ephemeral containers: {_listed(ephemeral)}"
    raise errors.bad_request(message)


def _names(spec: Json, key: str) -> list[str]:
    return [container["name"] for container in spec.get(key) or ()]


def _listed(names: list[str]) -> str:
    return f"[{' '.join(names)}]"


def refuse_waiting(pod: Json, container: str, *, previous: bool) -> None:
    """400 when the container has not run (yet), as its status says."""
    name = pod["metadata"]["name"]
    status = pod.get("status") or {}
    for key in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for one in status.get(key) or ():
            if one.get("name") != container:
                continue
            ran_before = bool((one.get("lastState") or {}).get("terminated"))
            if previous and not ran_before:
                raise errors.bad_request(
                    f'previous terminated container "{container}" in pod "{name}" not found'
                )
            waiting = (one.get("state") or {}).get("waiting")
            if waiting is not None and not ran_before:
                raise errors.bad_request(
                    f'container "{container}" in pod "{name}" is waiting to start: '
                    + _why_waiting(waiting.get("reason", ""))
                )


def _why_waiting(reason: str) -> str:
    said = {
        "ErrImagePull": "image can't be pulled",
        "ImagePullBackOff": "trying and failing to pull image",
    }
    return said.get(reason, reason)
