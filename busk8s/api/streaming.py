"""What `exec`, `attach` and `portforward` are made of, whatever protocol carries them. Pure.

Owns      channel numbers, the Status of a command that has ended.
Source    upstream's remotecommand constants.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from busk8s.errors import Cause, Error

STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
NON_ZERO = "NonZeroExitCode"
EXIT_CODE = "ExitCode"


def exit_failure(command: Sequence[str], code: int) -> Error | None:
    """How a command's exit code travels; None: it succeeded."""
    if code == 0:
        return None
    words = " ".join(command)
    message = (
        "command terminated with non-zero exit code: "
        f"error executing command [{words}], exit code {code}"
    )
    return Error(500, NON_ZERO, message, causes=[Cause(EXIT_CODE, str(code))])


def closing_status(error: Error | None) -> bytes:
    """The Status that ends the error channel, as JSON."""
    if error is None:
        return orjson.dumps({"metadata": {}, "status": "Success"})
    status = error.to_status()
    if error.reason == NON_ZERO:
        del status["code"]
    return orjson.dumps(status)
