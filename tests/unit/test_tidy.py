"""House rules that a machine can check; see CONTRIBUTING.md for why each exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
GENERATED = ROOT / "busk8s" / "api" / "types"

modules = sorted(p for p in (ROOT / "busk8s").rglob("*.py") if GENERATED not in p.parents)
ids = [str(p.relative_to(ROOT)) for p in modules]
every_module = pytest.mark.parametrize("path", modules, ids=ids)


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


@every_module
def test_a_module_is_short_and_says_what_it_is(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MODULE_LINES_MAX
    assert ast.get_docstring(parse(path))
    assert path.stem not in BANNED_NAMES


@every_module
def test_functions_are_short(path: Path) -> None:
    long = [
        f"{node.name} ({node.end_lineno - node.lineno + 1} lines)"
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert not long


@every_module
def test_no_set_is_iterated_where_order_can_be_seen(path: Path) -> None:
    loops = [n for n in ast.walk(parse(path)) if isinstance(n, ast.For | ast.comprehension)]
    bad = [
        getattr(node.iter, "lineno", 0)
        for node in loops
        if isinstance(node.iter, ast.Set)
        or (
            isinstance(node.iter, ast.Call)
            and isinstance(node.iter.func, ast.Name)
            and node.iter.func.id in ("set", "frozenset")
        )
    ]
    assert not bad


def test_package_files_hold_only_a_docstring() -> None:
    for path in sorted((ROOT / "busk8s").rglob("__init__.py")):
        assert len(parse(path).body) <= 1, path


def test_queues_are_bounded() -> None:
    unbounded = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in modules
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"asyncio\.(Priority|Lifo)?Queue\(\)", line)
    ]
    assert not unbounded


def test_deliberate_differences_are_listed() -> None:
    """Every module that marks a difference is named in docs/compatibility.md."""
    listed = (ROOT / "docs" / "compatibility.md").read_text()
    missing = [
        str(path.relative_to(ROOT))
        for path in modules
        if "Differs from Kubernetes:" in path.read_text()
        and f"{path.parent.name}/{path.name}" not in listed
    ]
    assert not missing, "name these modules beside their difference in docs/compatibility.md"


def test_compatibility_is_one_table_an_area_with_each_feature_once() -> None:
    """A merge that brings back an older list, or a row twice, is seen here."""
    _, *areas = (ROOT / "docs" / "compatibility.md").read_text().split("\n## ")
    rows = [line for area in areas for line in area.splitlines()[1:] if line]
    assert not [line for line in rows if not line.startswith("|")], "rows of tables only"
    features = [line.split("|")[1] for line in rows if not line.startswith(("| feature", "|---"))]
    assert len(set(features)) == len(features)


def test_files_name_no_machine() -> None:
    """Nothing tracked names a path of somebody's machine or a package registry's host."""
    forbidden = re.compile(r"/work/|/home/\w+/|pypi\.org|npmjs|deb\.debian")
    found = [
        str(path.relative_to(ROOT))
        for pattern in ("*.md", "*.toml", "*.yaml", "*.sh", "*.py", "Makefile", "Dockerfile")
        for path in sorted(ROOT.rglob(pattern))
        if not {".venv", ".git", ".hypothesis"} & set(path.parts)
        and path != Path(__file__)
        and forbidden.search(path.read_text())
    ]
    assert not found
