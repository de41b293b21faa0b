"""Our resources against the official Python client: the same paths, the same methods.

The client is generated from upstream's own OpenAPI document, so this finds a wrong plural, scope,
verb or subresource.
"""

from __future__ import annotations

import re
from pathlib import Path

import kubernetes
import orjson

from busk8s.api import openapi, scheme

_CALL = re.compile(r"method='([A-Z]+)',\s+resource_path='(/apis?/[^']*)'")


def test_every_call_of_the_client_has_a_path_and_every_path_a_call() -> None:
    theirs = set()
    for source in (Path(kubernetes.__file__).parent / "client" / "api").glob("*_v[12]_api.py"):
        theirs |= {(path, method.lower()) for method, path in _CALL.findall(source.read_text())}
    # Left out on both sides: the list of a group version, and what is behind a proxy.
    theirs = {(p, m) for p, m in theirs if not re.search(r"/v\d/$|/proxy", p)}
    paths = orjson.loads(openapi.v2(scheme.SERVED))["paths"]
    ours = {
        (path, method)
        for path, item in paths.items()
        for method in item
        if method != "parameters" and not path.endswith("/proxy")
    }
    assert sorted(theirs - ours) == []
    assert sorted(ours - theirs) == []
    assert len(ours) > 500
