"""Laws of server-side apply, against a model that knows only sets of paths.

The model flattens a document into path -> value, so merging is an update of a dict and removing
is dropping paths; it knows nothing of trees, shared parts or order.
"""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from busk8s.api.apply import fieldset, managers
from busk8s.api.apply.anew import Anew
from busk8s.api.apply.compare import compare
from busk8s.api.apply.extract import WrongType, fields_of
from busk8s.api.apply.layout import Layout
from busk8s.api.apply.managers import Managed, Owned, Writer
from busk8s.api.apply.merge import merge
from busk8s.api.apply.ownership import UNOWNED, Conflicts, Setting, apply, update

Json = dict[str, Any]
Path = tuple[str, ...]
Flat = dict[Path, Any]

_TEXT = Layout("leaf", scalar="string")
_ITEM = Layout("struct", {"name": _TEXT, "v": _TEXT, "w": _TEXT})
LAYOUT = Layout(
    "struct",
    {
        "a": _TEXT,
        "b": Layout("leaf", scalar="integer"),
        "atom": Layout("leaf", whole=Layout("set", item=_TEXT)),
        "map": Layout("map", item=_TEXT),
        "inner": Layout("struct", {"x": _TEXT, "y": Layout("map", item=_TEXT)}),
        "items": Layout("keyed", item=_ITEM, keys=("name",)),
        "tags": Layout("set", item=_TEXT),
        "status": Layout(
            "struct", {"phase": _TEXT, "seen": Layout("keyed", item=_ITEM, keys=("name",))}
        ),
    },
    always=("inner", "status"),
)
SETTING = Setting("v1", LAYOUT, {}, "now")
_METADATA = Layout("struct", {"name": _TEXT, "labels": Layout("map", item=_TEXT)})
# What a way of writing keeps as it was and cannot own, by subresource.
KEPT = {"": {"f:status": {}}, "status": {"f:a": {}, "f:inner": {}, "f:items": {}}}

_texts = st.sampled_from(["1", "2"])
_some = st.dictionaries(st.sampled_from(["p", "q", "r"]), _texts, min_size=1)
_item = st.fixed_dictionaries(
    {"name": st.sampled_from(["i", "j", "k"])}, optional={"v": _texts, "w": _texts}
)
documents = st.fixed_dictionaries(
    {},
    optional={
        "a": _texts,
        "b": st.integers(1, 2),
        "atom": st.lists(_texts, min_size=1, max_size=2),
        "map": _some,
        "inner": st.fixed_dictionaries({"x": _texts}, optional={"y": _some}),
        "items": st.lists(_item, min_size=1, unique_by=lambda item: item["name"]),
        "tags": st.lists(st.sampled_from(["t", "u", "w"]), min_size=1, unique=True),
        "status": st.fixed_dictionaries(
            {"phase": _texts},
            optional={"seen": st.lists(_item, min_size=1, unique_by=lambda item: item["name"])},
        ),
    },
)

CONTAINER, ITEM = "<container>", "<item>"


def flat(document: Json) -> Flat:
    """Every path of `document` and its value; containers and items are paths of their own."""
    found: Flat = {}
    for name, value in document.items():
        path = ("f:" + name,)
        if name in ("a", "b", "atom"):
            found[path] = value
            continue
        found[path] = CONTAINER
        if name == "status":
            found[*path, "f:phase"] = value["phase"]
            if "seen" in value:
                found[*path, "f:seen"] = CONTAINER
                found |= _flat_items((*path, "f:seen"), value["seen"])
        elif name == "tags":
            found |= {(*path, f'v:"{tag}"'): tag for tag in value}
        elif name == "items":
            found |= _flat_items(path, value)
        elif name == "map":
            found |= {(*path, "f:" + key): text for key, text in value.items()}
        else:
            if "x" in value:
                found[*path, "f:x"] = value["x"]
            if "y" in value:
                found[*path, "f:y"] = CONTAINER
                found |= {(*path, "f:y", "f:" + key): text for key, text in value["y"].items()}
    return found


def _flat_items(path: Path, items: list[Json]) -> Flat:
    found: Flat = {}
    for item in items:
        here = (*path, f'k:{{"name":"{item["name"]}"}}')
        found[here] = ITEM
        found |= {(*here, "f:" + key): text for key, text in item.items()}
    return found


# The fields of structs, which lead to others without being owned for that alone.
NAMED = [(f"f:{name}",) for name in ("map", "items", "tags", "inner", "status")]
NAMED += [("f:inner", "f:y"), ("f:status", "f:seen")]
ALWAYS = {("f:inner",), ("f:status",)}  # There whether a document has them or not.


def with_named(paths: set[Path]) -> set[Path]:
    return paths | {n for n in NAMED if any(path[: len(n)] == n for path in paths)}


class Model:
    """`part` is the subresource that is written through."""

    def __init__(self) -> None:
        self.live: Flat = {}
        self.owners: dict[Writer, set[Path]] = {}

    def apply(self, writer: Writer, config: Json, *, force: bool, part: str = "") -> bool:
        """False: conflicts, and nothing is done."""
        wanted = flat(config)
        mine = {p for p, v in wanted.items() if v is not CONTAINER and not _is_kept(p, part)}
        owners = {**self.owners, writer: mine}
        merged = {**self.live, **wanted}
        claimed = with_named(set().union(*owners.values()))
        gone = with_named(self.owners.get(writer, set())) - claimed
        new = {p: v for p, v in merged.items() if not any(p[:n] in gone for n in range(len(p) + 1))}
        new = _without_empty(new, merged)
        written, removed = _changes(self.live, new, part)
        others = {o: paths for o, paths in owners.items() if o != writer}
        if not force and any(paths & written for paths in others.values()):
            return False
        self.live = self._kept(new, part)
        self.owners = {o: paths - written - removed for o, paths in others.items()}
        self.owners[writer] = owners[writer]
        return True

    def update(self, writer: Writer, new: Json, part: str = "") -> None:
        written, removed = _changes(self.live, flat(new), part)
        self.live = self._kept(flat(new), part)
        self.owners = {o: paths - written - removed for o, paths in self.owners.items()}
        self.owners[writer] = self.owners.get(writer, set()) | written

    def _kept(self, new: Flat, part: str) -> Flat:
        kept = {p: v for p, v in self.live.items() if _is_kept(p, part)}
        return kept | {p: v for p, v in new.items() if not _is_kept(p, part)}


def _is_kept(path: Path, part: str) -> bool:
    return path[0] in KEPT[part]


def _without_empty(new: Flat, before: Flat) -> Flat:
    for path in sorted(new, key=len, reverse=True):
        if new[path] is CONTAINER and _empty(path, new) and not _empty(path, before):
            del new[path]
    return new


def _empty(path: Path, paths: Flat) -> bool:
    return not any(p[: len(path)] == path and p != path for p in paths)


def _changes(old: Flat, new: Flat, part: str) -> tuple[set[Path], set[Path]]:
    written = {p for p, value in new.items() if p not in old or old[p] != value}
    removed = old.keys() - new.keys()
    return (
        {p for p in written - ALWAYS if not _is_kept(p, part)},
        {p for p in removed - ALWAYS if not _is_kept(p, part)},
    )


def kept(new: Json, live: Json, part: str) -> Json:
    """`new` as it is stored when it is written through `part`."""
    names = [element[2:] for element in KEPT[part]]
    return {
        **{name: value for name, value in new.items() if name not in names},
        **{name: live[name] for name in names if name in live},
    }


def owned_paths(managed: Managed) -> dict[Writer, set[Path]]:
    return {writer: set(fieldset.paths(owned.fields)) for writer, owned in managed.items()}


_parts = st.sampled_from(["", "", "status"])
_actions = st.one_of(
    st.tuples(st.just("apply"), st.sampled_from("abc"), _parts, documents, st.booleans()),
    st.tuples(st.just("update"), st.sampled_from("uv"), _parts, documents, st.just(True)),
)


@given(st.none() | documents, st.lists(_actions, max_size=8))
def test_documents_and_owners_are_those_of_the_model(
    created: Json | None, actions: list[Any]
) -> None:
    """Objects that one creates and several update and apply, them and their status."""
    live: Json = {}
    managed: Managed = {}
    model = Model()
    if created is not None:
        writer = managers.updater("u", "v1")
        fields = Anew().fields_of(created, LAYOUT, KEPT[""])
        managed = {writer: Owned(fields, "v1", "now")} if fields else {}
        live = kept(created, live, "")
        model.update(writer, created)
    for kind, name, part, document, force in actions:
        setting = Setting("v1", LAYOUT, KEPT[part], "now")
        if kind == "update":
            writer = managers.updater(name, "v1", part)
            managed = update(live, document, managed, writer, setting)
            live = kept(document, live, part)
            model.update(writer, document, part)
        else:
            writer = managers.applier(name, part)
            try:
                new, managed = apply(live, document, managed, writer, setting, force=force)
                live = kept(new, live, part)
                assert model.apply(writer, document, force=force, part=part)
            except Conflicts:
                assert not model.apply(writer, document, force=force, part=part)
        assert flat(live) == model.live
        assert owned_paths(managed) == {w: paths for w, paths in model.owners.items() if paths}


@given(st.lists(documents, min_size=1, max_size=6))
def test_the_fields_of_new_documents_are_those_of_a_comparison_with_nothing(
    created: list[Json],
) -> None:
    anew = Anew()
    for document in created * 2:
        given = {"kind": "K", "apiVersion": "v1", "metadata": {"name": "n"}, **document}
        before = orjson.dumps(given)
        layout = Layout("struct", {**LAYOUT.fields, "metadata": _METADATA}, always=LAYOUT.always)
        found = compare({}, given, layout).ignoring(KEPT[""]).written
        assert anew.fields_of(given, layout, KEPT[""]) == fieldset.difference(found, UNOWNED)
        assert orjson.dumps(given) == before


@given(documents, documents, documents, st.sampled_from("abu"))
def test_applying_twice_is_applying_once(base: Json, other: Json, config: Json, who: str) -> None:
    live, managed = _start(base, other)
    once = apply(live, config, managed, managers.applier(who), SETTING, force=True)
    later = Setting("v1", LAYOUT, {}, "later")
    twice = apply(*_and(once, config), managers.applier(who), later, force=False)
    assert twice[0] is once[0]
    assert twice[1] == once[1]


@given(documents, documents, documents, documents)
def test_two_who_do_not_conflict_commute(a0: Json, b0: Json, a1: Json, b1: Json) -> None:
    a, b = managers.applier("a"), managers.applier("b")
    try:
        live, managed = apply({}, a0, {}, a, SETTING, force=False)
        live, managed = apply(live, b0, managed, b, SETTING, force=False)
        one = apply(live, a1, managed, a, SETTING, force=False)
        one = apply(one[0], b1, one[1], b, SETTING, force=False)
        two = apply(live, b1, managed, b, SETTING, force=False)
        two = apply(two[0], a1, two[1], a, SETTING, force=False)
    except Conflicts:
        return
    assert flat(one[0]) == flat(two[0])
    assert owned_paths(one[1]) == owned_paths(two[1])


@given(documents, documents)
def test_merging_changes_neither_side(live: Json, config: Json) -> None:
    before = orjson.dumps([live, config])
    merged = merge(live, config, LAYOUT)
    assert orjson.dumps([live, config]) == before
    assert flat(merged) == {**flat(live), **flat(config)}
    names = [item["name"] for item in merged.get("items", ())]
    wanted = [item["name"] for item in config.get("items", ())]
    assert [name for name in names if name in wanted] == wanted, "in the order they are applied"


def _start(base: Json, other: Json) -> tuple[Json, Managed]:
    managed = update({}, base, {}, managers.updater("u", "v1"), SETTING)
    return apply(base, other, managed, managers.applier("b"), SETTING, force=True)


def _and(state: tuple[Json, Managed], config: Json) -> tuple[Json, Json, Managed]:
    return state[0], config, state[1]


_sets = documents.map(lambda document: fields_of(document, LAYOUT))


@given(_sets, _sets)
def test_the_algebra_of_field_sets_is_that_of_sets(left: Json, right: Json) -> None:
    a, b = set(fieldset.paths(left)), set(fieldset.paths(right))
    assert set(fieldset.paths(fieldset.union(left, right))) == a | b
    assert set(fieldset.paths(fieldset.difference(left, right))) == a - b
    assert set(fieldset.paths(fieldset.intersection(left, right))) == a & b
    below = {p for p in a if not any(p[:n] in b for n in range(len(p) + 1))}
    assert set(fieldset.paths(fieldset.without(left, right))) == below


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a", "map", "items", "tags", "name", ".", "f:a", 'k:{"a":1}', "v:1"]),
            inner,
            max_size=3,
        )
    ),
)


@given(_json)
def test_any_json_is_a_set_of_fields_or_refused(value: Any) -> None:
    try:
        fields = fieldset.parse(value)
    except ValueError:
        return
    assert fieldset.parse(fields) == fields


@given(_json, documents)
def test_any_json_is_applied_or_refused(config: Any, live: Json) -> None:
    writer = managers.applier("a")
    try:
        new, managed = apply(live, config, {}, writer, SETTING, force=True)
    except WrongType:
        return
    assert isinstance(new, dict)
    assert all(isinstance(owned, Owned) for owned in managed.values())


@pytest.mark.parametrize(
    ("live", "applied", "merged"),
    [
        ("abc", "b", "abc"),
        ("abc", "cb", "acb"),
        ("abc", "xb", "axbc"),
        ("", "ab", "ab"),
        ("ab", "cd", "abcd"),
        ("abcd", "dxa", "bcdxa"),
    ],
)
def test_the_order_of_a_merged_list(live: str, applied: str, merged: str) -> None:
    document = merge({"tags": list(live)}, {"tags": list(applied)}, LAYOUT)
    assert "".join(document["tags"]) == merged
