"""The flags of AuditSettings, login among them, on every command that starts an API server.

Owns      turning the settings' fields into options, and options back into settings' fields.
Leaves    what the flags mean (authentication_settings, audit_settings).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Annotated, Any

import typer

from busk8s import audit_settings, authentication_settings
from busk8s.audit_settings import AuditSettings
from busk8s.config import ConfigError

PANEL = "Who may log in"  # Apart in --help: most clusters need none of them.
AUDIT_PANEL = "What is written down"
HELP = {**authentication_settings.HELP, **audit_settings.HELP}


def with_login_flags(command: Callable[..., None]) -> Callable[..., None]:
    """`command` with an option for each field; it gets them as its keyword `login`."""

    @functools.wraps(command)
    def told(*args: Any, **given: Any) -> None:
        names = [entry.name for entry in fields(AuditSettings)]
        login = {name: _value(name, given.pop(name)) for name in names}
        command(*args, login=login, **given)

    signature = inspect.signature(command, eval_str=True)
    own = [p for p in signature.parameters.values() if p.name != "login"]
    options = [_option(entry) for entry in fields(AuditSettings)]
    told.__signature__ = signature.replace(parameters=[*own, *options])  # type: ignore[attr-defined] # inspect reads it
    told.__annotations__ = {p.name: p.annotation for p in (*own, *options)}
    return told


def _option(entry: Any) -> inspect.Parameter:
    """As text all of them, so that an empty one can be told from one that was not given."""
    flag = "--" + entry.name.replace("_", "-")
    many = isinstance(entry.default, tuple)
    assert entry.default is not MISSING
    annotation: Any = list[str] | None if many else str
    default = None if many else _text(entry.default)
    panel = AUDIT_PANEL if entry.name in audit_settings.HELP else PANEL
    option = typer.Option(flag, help=HELP[entry.name], rich_help_panel=panel, show_default=False)
    return inspect.Parameter(
        entry.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[annotation, option],
    )


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value}"


def _value(name: str, text: Any) -> Any:
    default = getattr(_DEFAULTS, name)
    flag = "--" + name.replace("_", "-")
    if isinstance(default, tuple):
        return tuple(text or ())
    if isinstance(default, bool):
        if text.lower() not in ("true", "false"):
            raise ConfigError(f"{flag}: {text!r} is neither true nor false")
        return text.lower() == "true"
    if isinstance(default, float):
        return _seconds(flag, text)
    return text


_UNITS = {"h": 3_600.0, "m": 60.0, "s": 1.0}


def _seconds(flag: str, text: str) -> float:
    """Seconds, or upstream's form: 24h, 90m, 30s."""
    unit = _UNITS.get(text[-1:])
    try:
        return float(text[:-1]) * unit if unit is not None else float(text)
    except ValueError:
        raise ConfigError(f"{flag}: {text!r} is not a duration such as 24h") from None


_DEFAULTS = AuditSettings()
