"""Z85, the text form of CURVE keys (ZeroMQ RFC 32): four bytes as five characters. Pure."""

from __future__ import annotations

ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_VALUES = {letter: value for value, letter in enumerate(ALPHABET)}


def z85_encode(data: bytes) -> str:
    if len(data) % 4:
        raise ValueError("z85 takes bytes by fours")
    text = []
    for start in range(0, len(data), 4):
        number = int.from_bytes(data[start : start + 4], "big")
        text += [ALPHABET[number // 85**power % 85] for power in (4, 3, 2, 1, 0)]
    return "".join(text)


def z85_decode(text: str) -> bytes:
    """The bytes of `text`. Raises ValueError for anything that is not z85."""
    if len(text) % 5:
        raise ValueError("z85 takes characters by fives")
    data = bytearray()
    for start in range(0, len(text), 5):
        number = 0
        for letter in text[start : start + 5]:
            if letter not in _VALUES:
                raise ValueError("not a character of z85")
            number = number * 85 + _VALUES[letter]
        if number >> 32:
            raise ValueError("beyond four bytes")
        data += number.to_bytes(4, "big")
    return bytes(data)
