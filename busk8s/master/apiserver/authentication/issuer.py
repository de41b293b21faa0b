"""How others can check our ServiceAccount tokens: the issuer's discovery document and its keys.

Owns      the two documents and their media types.
Leaves    who may read them (the role `system:service-account-issuer-discovery`), the keys.
Source    OpenID Connect Discovery 1.0, as far as Kubernetes publishes it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import orjson

from busk8s import errors
from busk8s.api.request import JSON, Request, Response
from busk8s.master.apiserver.authentication.account_keys import ALGORITHM, AccountKeys

CONFIGURATION = "/.well-known/openid-configuration"
KEYS = "/openid/v1/jwks"
KEYS_TYPE = "application/jwk-set+json"
CACHED = (("Cache-Control", "public, max-age=3600"),)

Handler = Callable[[Request], Awaitable[Response]]


def handlers(issuer: str, keys_url: str, keys: AccountKeys) -> Mapping[str, Handler]:
    """Only for an issuer that is an https URL: others have no place for such a document."""
    if not issuer.startswith("https://"):
        return {}
    document = orjson.dumps(
        {
            "issuer": issuer,
            "jwks_uri": keys_url,
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
        }
    )

    async def configuration(request: Request) -> Response:
        return _answer(request, document, JSON)

    async def published(request: Request) -> Response:
        return _answer(request, orjson.dumps({"keys": keys.published()}), KEYS_TYPE)

    return {CONFIGURATION: configuration, KEYS: published}


def _answer(request: Request, body: bytes, media: str) -> Response:
    if request.method != "GET":
        raise errors.method_not_allowed()
    return Response(200, body, media, CACHED)
