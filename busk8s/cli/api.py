"""Talking to the API of the master whose data directory we can read, as its admin."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any
from urllib.parse import urlsplit

from busk8s.config import ConfigError, DataDir
from busk8s.errors import Error

TIMEOUT_S = 30.0


class NotRunning(Exception):
    """Nothing answers on behalf of this data directory."""


def endpoints(data: DataDir) -> dict[str, Any]:
    """What the running API server says of itself."""
    if not (data.path / "cluster.json").exists():
        raise NotRunning(f"there is no cluster in {data.path}: start one with busk8s up or master")
    try:
        said: dict[str, Any] = json.loads(data.endpoints.read_bytes())
    except FileNotFoundError:
        raise NotRunning(f"the cluster in {data.path} is not running") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{data.endpoints}: {error}") from None
    return said


def ask(data: DataDir, method: str, path: str, body: Any = None) -> Any:
    """The JSON answer, or text. Raises errors.Error as the API words it, NotRunning."""
    url = urlsplit(str(endpoints(data)["url"]))
    try:
        context = ssl.create_default_context(cafile=str(data.pki / "ca.crt"))
        context.load_cert_chain(data.pki / "admin.crt", data.pki / "admin.key")
    except OSError as error:
        raise ConfigError(f"{data.pki}: {error}") from None
    connection = http.client.HTTPSConnection(
        str(url.hostname), url.port, timeout=TIMEOUT_S, context=context
    )
    try:
        headers = {"Content-Type": "application/json", "User-Agent": "busk8s"}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        text = answer.read()
    except OSError as error:
        raise NotRunning(f"no answer from {url.geturl()}: {error}") from None
    finally:
        connection.close()
    found = (
        json.loads(text) if "json" in (answer.getheader("Content-Type") or "") else text.decode()
    )
    if answer.status >= 400:
        plain = {"code": answer.status, "message": str(found).strip()}
        raise Error.from_status(found if isinstance(found, dict) else plain)
    return found
