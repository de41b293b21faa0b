"""One review sent to a webhook, of admission or of conversion: its answer, or why there is none.

Owns      the time limit as the webhook is told it, upstream's words for answers that are none.
Leaves    what a review says (admission.webhooks, conversion), transport (outgoing).
Invariant whatever the peer does, the end is a document or a NoAnswer.
"""

from __future__ import annotations

import math

import orjson

from busk8s.api.object import Json
from busk8s.master.apiserver.outgoing import Answer, CallFailed, Outgoing, Target

SAID_CHARACTERS_MAX = 2_048  # Of a server's own error text; upstream's number.
_SAID = {
    400: "the server rejected our request for an unknown reason",
    401: "the server has asked for the client to provide credentials",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    409: "the server reported a conflict",
    422: "the server rejected our request due to an error in our request",
    429: "the server has received too many requests and has asked us to try again later",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be "
    "processing the request",
}


class NoAnswer(Exception):
    """The text is what upstream's client says."""


async def post(outgoing: Outgoing, target: Target, review: bytes, seconds: float) -> bytes:
    """The body of a successful answer. Raises NoAnswer."""
    query = f"timeout={math.ceil(seconds)}s"
    try:
        answer = await outgoing.call(target, review, timeout_s=seconds, query=query)
    except CallFailed as error:
        raise NoAnswer(f'Post "{target.url(query)}": {error}') from None
    if not 200 <= answer.status <= 206:
        raise NoAnswer(_unexpected(answer))
    return answer.body


def parsed(body: bytes) -> Json:
    """The document in an answer. Raises NoAnswer for what is none."""
    if not body:
        raise NoAnswer("0-length response with status code: 200 and content type: ")
    try:
        review = orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError):
        first = body.lstrip()[:1].decode("ascii", "replace")
        why = f"invalid character '{first}' looking for beginning of value"
        if first in "{[":
            why = "unexpected end of JSON input or invalid JSON"
        raise NoAnswer(f"couldn't get version/kind; json parse error: {why}") from None
    if not isinstance(review, dict):
        raise NoAnswer("couldn't get version/kind; json parse error: the body is no object")
    return review


def _unexpected(answer: Answer) -> str:
    """What Go's client makes of an answer that is none: a Status' message, or its own words."""
    try:
        status = orjson.loads(answer.body)
        if isinstance(status, dict) and status.get("kind") == "Status" and status.get("message"):
            return str(status["message"])[:SAID_CHARACTERS_MAX]
    except orjson.JSONDecodeError:
        pass
    text = answer.body[:SAID_CHARACTERS_MAX].decode("utf-8", "replace").strip()
    if answer.status == 403:
        return text or "the server does not allow access to the requested resource"
    if answer.status in _SAID:
        return _SAID[answer.status]
    if answer.status >= 500:
        said = orjson.dumps(text or "unknown").decode()
        return f"an error on the server ({said}) has prevented the request from succeeding"
    return (
        f"the server responded with the status code {answer.status} but did not return more "
        "information"
    )
