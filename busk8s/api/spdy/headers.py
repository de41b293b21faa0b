"""Header blocks of SPDY/3: pairs of texts, compressed with one zlib stream a direction.

Owns      the block's form, its compression, how large it may be.
Leaves    frames (frames), what headers mean.
Invariant names are lower case; a block that would unpack to more than HEADER_BYTES_MAX is refused
          before it is unpacked further.
Source    draft-mbelshe-httpbis-spdy-00, 2.6.10 and its dictionary (SPDY/3 kept it).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

HEADER_BYTES_MAX = 16 * 1024
PAIRS_MAX = 64
_U32 = struct.Struct(">I")
_SYNC = zlib.Z_SYNC_FLUSH

# The dictionary both sides prime their compression with: words with their lengths, then a text.
_WORDS = (
    "options|head|post|put|delete|trace|accept|accept-charset|accept-encoding|accept-language|"
    "accept-ranges|age|allow|authorization|cache-control|connection|content-base|"
    "content-encoding|content-language|content-length|content-location|content-md5|"
    "content-range|content-type|date|etag|expect|expires|from|host|if-match|if-modified-since|"
    "if-none-match|if-range|if-unmodified-since|last-modified|location|max-forwards|pragma|"
    "proxy-authenticate|proxy-authorization|range|referer|retry-after|server|te|trailer|"
    "transfer-encoding|upgrade|user-agent|vary|via|warning|www-authenticate|method|get|status|"
    "200 OK|version|HTTP/1.1|url|public|set-cookie|keep-alive|origin"
)
_TEXT = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request"
    "401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
    "503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, "
    "Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,"
    "application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,"
    "sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = (
    b"".join(_U32.pack(len(word)) + word.encode() for word in _WORDS.split("|")) + _TEXT.encode()
)

Headers = Mapping[str, str]


class HeaderError(ValueError):
    """The block is not one, or is too large."""


class Packer:
    """The sender's half: blocks must be packed in the order in which they are sent."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def pack(self, headers: Headers) -> bytes:
        block = _U32.pack(len(headers)) + b"".join(
            _text(name.lower()) + _text(value) for name, value in headers.items()
        )
        return self._deflate.compress(block) + self._deflate.flush(_SYNC)


class Unpacker:
    """The receiver's half. After a HeaderError nothing more can be unpacked."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)

    def unpack(self, block: bytes) -> dict[str, str]:
        try:
            data = self._inflate.decompress(block, HEADER_BYTES_MAX + 1)
        except zlib.error as error:
            raise HeaderError(f"headers that cannot be unpacked: {error}") from None
        if len(data) > HEADER_BYTES_MAX or self._inflate.unconsumed_tail:
            raise HeaderError(f"headers of more than {HEADER_BYTES_MAX} bytes")
        return _pairs(data)


def _text(text: str) -> bytes:
    data = text.encode()
    return _U32.pack(len(data)) + data


def _pairs(data: bytes) -> dict[str, str]:
    try:
        (count,) = _U32.unpack_from(data)
        if count > PAIRS_MAX:
            raise HeaderError(f"more than {PAIRS_MAX} headers")
        found, at = {}, _U32.size
        for _ in range(count):
            name, at = _text_at(data, at)
            value, at = _text_at(data, at)
            if name in found:
                raise HeaderError(f"header {name!r} comes twice")
            found[name] = value
    except (struct.error, UnicodeDecodeError):
        raise HeaderError("headers of another form") from None
    if at != len(data):
        raise HeaderError("more than the headers")
    return found


def _text_at(data: bytes, at: int) -> tuple[str, int]:
    (length,) = _U32.unpack_from(data, at)
    start = at + _U32.size
    if start + length > len(data):
        raise HeaderError("headers that end too soon")
    return data[start : start + length].decode(), start + length
