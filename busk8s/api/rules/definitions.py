"""CustomResourceDefinitions: completed and judged by `api.custom`, which is loaded when one comes.

Owns      nothing but the delay: schemas and their expressions cost memory that most masters save.
Leaves    the rules themselves (api.custom.definition).
"""

from __future__ import annotations

from typing import Any

from busk8s.errors import Cause

Json = dict[str, Any]


def default_definition(obj: Json) -> None:
    from busk8s.api.custom import definition

    definition.default_definition(obj)


def validate_definition(obj: Json, causes: list[Cause]) -> None:
    from busk8s.api.custom import definition

    causes += definition.validate_definition(obj)


def validate_definition_update(new: Json, old: Json, causes: list[Cause]) -> None:
    from busk8s.api.custom import definition

    causes += definition.validate_definition(new, old)


def validate_definition_status(new: Json, old: Json, causes: list[Cause]) -> None:
    from busk8s.api.custom import definition

    causes += definition.validate_definition_status(new)
