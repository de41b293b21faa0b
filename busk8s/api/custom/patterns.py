"""Regular expressions of schemas, with the meaning and the linear time of Go's.

Owns      compiling and matching `pattern`, bounded.
Leaves    where patterns are allowed (schemarules).
Invariant no pattern and no text takes more than linear time.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

# Differs from Kubernetes: a pattern that does not compile is told in RE2's words, not Go's.
# Compiled programs are large; those of hot schemas stay.
PATTERNS_KEPT = 512
PROGRAM_BYTES_MAX = 8 << 20


class BadPattern(ValueError):
    """The expression is not one; the message is the compiler's."""


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found anywhere in the text; one that does not compile never is."""
    try:
        return compiled(pattern).search(text) is not None
    except BadPattern:
        return False


@lru_cache(PATTERNS_KEPT)
def compiled(pattern: str) -> Any:
    import re2  # only schemas with patterns need it

    options = re2.Options()
    options.max_mem = PROGRAM_BYTES_MAX
    options.log_errors = False
    try:
        return re2.compile(pattern, options=options)
    except re2.error as error:
        said = error.args[0] if error.args else error
        text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise BadPattern(text) from None
