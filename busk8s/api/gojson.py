"""What is wrong with a body that is no JSON, in the words of the parser that upstream uses.

Owns      finding the first byte that cannot stand where it does, and the message for it.
Leaves    parsing itself: this is read only after a parser refused the body.
Invariant linear in the body, without recursion; a body that is JSON has no error here.
"""

from __future__ import annotations

END = "unexpected end of JSON input"
SUMMARY_BYTES_MAX = 30  # Of a body repeated in an answer; upstream's number.

_SPACE = b" \t\r\n"
_DIGITS = b"0123456789"
_HEX = b"0123456789abcdefABCDEF"
_LITERALS = {ord("t"): b"true", ord("f"): b"false", ord("n"): b"null"}
_ESCAPES = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r"}


class _Wrong(Exception):
    """The body ends at fault: the message."""


def syntax_error(body: bytes) -> str:
    """The message for `body`; empty when it is JSON."""
    try:
        _Scanner(body).run()
    except _Wrong as wrong:
        return str(wrong)
    return ""


def summary(body: bytes) -> str:
    """`body` as far as an answer repeats it: objects as they are, all else in hex."""
    if not body:
        return "<empty>"
    tail = " ..." if len(body) > SUMMARY_BYTES_MAX else ""
    head = body[:SUMMARY_BYTES_MAX]
    return (head.decode(errors="replace") if body[:1] == b"{" else head.hex()) + tail


class _Scanner:
    """One pass over a body. `open`: what is not closed yet, as `{` and `[`."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0
        self._open: list[int] = []

    def run(self) -> None:
        self._value()
        while self._open:
            if self._open[-1] == ord("{"):
                if self._goes_on(b"}", "after object key:value pair"):
                    self._member()
            elif self._goes_on(b"]", "after array element"):
                self._value()
        if self._peek() is not None:
            raise self._unexpected("after top-level value")

    def _goes_on(self, close: bytes, where: str) -> bool:
        """Over a comma to one more item, or over the end of the container."""
        byte = self._wanted()
        if byte not in (close[0], ord(",")):
            raise self._unexpected(where)
        self._at += 1
        if byte == close[0]:
            self._open.pop()
        return byte == ord(",")

    def _peek(self) -> int | None:
        """The next byte that is no space."""
        while self._at < len(self._body) and self._body[self._at] in _SPACE:
            self._at += 1
        return self._body[self._at] if self._at < len(self._body) else None

    def _wanted(self) -> int:
        byte = self._peek()
        if byte is None:
            raise _Wrong(END)
        return byte

    def _value(self) -> None:
        """A scalar, or the beginning of a container up to its first scalar."""
        while True:
            byte = self._wanted()
            if byte not in b"{[":
                return self._scalar(byte)
            self._at += 1
            if self._wanted() == (ord("}") if byte == ord("{") else ord("]")):
                self._at += 1
                return None
            self._open.append(byte)
            if byte == ord("{"):
                self._key()

    def _member(self) -> None:
        self._key()
        self._value()

    def _key(self) -> None:
        if self._wanted() != ord('"'):
            raise self._unexpected("looking for beginning of object key string")
        self._string()
        if self._wanted() != ord(":"):
            raise self._unexpected("after object key")
        self._at += 1

    def _scalar(self, byte: int) -> None:
        if byte == ord('"'):
            self._string()
        elif byte in _LITERALS:
            self._literal(_LITERALS[byte])
        elif byte == ord("-") or byte in _DIGITS:
            self._number()
        else:
            raise self._unexpected("looking for beginning of value")

    def _string(self) -> None:
        self._at += 1
        while (byte := self._next()) != ord('"'):
            if byte < 0x20:
                raise self._unexpected("in string literal")
            self._at += 1
            if byte == ord("\\"):
                self._escape()
        self._at += 1

    def _escape(self) -> None:
        byte = self._next()
        if byte not in b'bfnrt\\/"u':
            raise self._unexpected("in string escape code")
        self._at += 1
        for _ in range(4 if byte == ord("u") else 0):
            if self._next() not in _HEX:
                raise self._unexpected("in \\u hexadecimal character escape")
            self._at += 1

    def _literal(self, word: bytes) -> None:
        for wanted in word:
            if self._next() != wanted:
                said = f"in literal {word.decode()} (expecting '{chr(wanted)}')"
                raise self._unexpected(said)
            self._at += 1

    def _number(self) -> None:
        if self._body[self._at] == ord("-"):
            self._at += 1
        if self._next() == ord("0"):
            self._at += 1
        else:
            self._digits("in numeric literal")
        if self._here() == ord("."):
            self._at += 1
            self._digits("after decimal point in numeric literal")
        if self._here() in (ord("e"), ord("E")):
            self._at += 1
            if self._next() in b"+-":
                self._at += 1
            self._digits("in exponent of numeric literal")

    def _digits(self, where: str) -> None:
        if self._next() not in _DIGITS:
            raise self._unexpected(where)
        while self._here() in _DIGITS:
            self._at += 1

    def _here(self) -> int:
        """This byte, spaces included; a space at the end."""
        return self._body[self._at] if self._at < len(self._body) else ord(" ")

    def _next(self) -> int:
        if self._at >= len(self._body):
            raise _Wrong(END)
        return self._body[self._at]

    def _unexpected(self, where: str) -> _Wrong:
        return _Wrong(f"invalid character {_quoted(self._body[self._at])} {where}")


def _quoted(byte: int) -> str:
    if byte == ord("'"):
        return "'\\''"
    if byte in _ESCAPES:
        return f"'{_ESCAPES[byte]}'"
    if byte == ord("\\"):
        return "'\\\\'"
    return f"'{chr(byte)}'" if 0x20 <= byte < 0x7F else f"'\\x{byte:02x}'"
