"""Documents as people write them, and the same as an editor reads them: for the tests of this folder."""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import attrs
import yaml
from hypothesis import strategies as st

from uno_core import Amount, Bounds, Secret
from uno_core.config.document import Settings
from uno_core.config.options import OptionSpec, spec_of
from uno_core.config.structure import fields_of, is_json
from uno_core.config.wanted import Wanted


class Plain(str):
    """A text that is written without quotes."""

    __slots__ = ()


def write(value: Any) -> str:
    """A document in YAML's flow form; what is `Plain` stands there as it is."""
    if isinstance(value, Mapping):
        return (
            "{"
            + ", ".join(f"{json.dumps(k, ensure_ascii=False)}: {write(v)}" for k, v in value.items())
            + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(write, value)) + "]"
    if isinstance(value, Plain):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


class Core(yaml.SafeLoader):
    """What an editor reads: the core schema of YAML 1.2, in which `no` is a text."""

    yaml_implicit_resolvers: typing.ClassVar = {}


for tag, pattern in (
    ("null", r"~|null|Null|NULL|"),
    ("bool", r"true|True|TRUE|false|False|FALSE"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan"),
):
    Core.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), None)


def as_an_editor(text: str) -> Any:
    return yaml.load(text, Loader=Core)  # noqa: S506 - a safe loader of our own


TEXTS = st.sampled_from(["a", "./shop", "http://{host}:{port}/", "${TOKEN}", "", "x y", "releases/{version}"])
PLAINS = st.sampled_from([Plain(t) for t in ("1.10", "no", "yes", "true", "5m", "v1", "20", "null", "~")])
WORDS = TEXTS | PLAINS
NUMBERS = st.integers(-3, 200) | st.integers(0, 20_000).map(lambda n: n / 100)
DURATIONS = (
    st.sampled_from(["30s", "5m", "1h30m", "500ms", "90", "1.5s", "0s", "0m0s", "0h1s", "soon", "5 m", "m"])
    | st.sampled_from([Plain(t) for t in ("30s", "1d", "0s", "5M", "90")])
    | NUMBERS
)
PERCENT = (
    st.integers(0, 130).map(lambda n: f"{n}%")
    | st.integers(0, 13_000).map(lambda n: f"{n / 100} %")
    | NUMBERS
)
SHARES = PERCENT | st.sampled_from(["0.01", "1", "0", ".5", Plain("1%"), Plain("0.5%"), "101%"])
JUNK = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS | DURATIONS | PERCENT,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "name", "file", "min"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def of(kind: Any, spec: OptionSpec) -> st.SearchStrategy[Any]:
    """What people write for a type: mostly right, and at its edges."""
    origin, inner = get_origin(kind) or kind, get_args(kind)
    if is_json(kind):
        return JUNK
    if origin in (typing.Union, types.UnionType):
        return st.one_of([st.none() if k is type(None) else of(k, spec) for k in inner])
    if origin is Literal:
        return st.sampled_from([str(one) for one in inner])
    if kind is Secret:
        return st.sampled_from(["${TOKEN}", {"file": "secret"}, {"file": ""}, {"fil": "x"}])
    if kind is Bounds:
        return (
            SHARES
            | DURATIONS
            | st.dictionaries(st.sampled_from(["max", "min"]), SHARES | DURATIONS, max_size=2)
        )
    if kind is Amount:
        return PERCENT | st.sampled_from(["2", "0", Plain("25%"), 3])
    if isinstance(origin, type) and attrs.has(origin):
        return options(origin)
    if origin in (tuple, list, Sequence, frozenset, set):
        return st.lists(of(inner[0], spec), max_size=3)
    if origin in (dict, Mapping):
        keys = (
            ["error_rate", "latency_p95", "cpu", "memory"] if inner[1] is Bounds else ["A", "b", "error_rate"]
        )
        return st.dictionaries(st.sampled_from(keys), of(inner[1], OptionSpec(help="")), max_size=2)
    return _scalar(kind, spec)


def _scalar(kind: Any, spec: OptionSpec) -> st.SearchStrategy[Any]:
    if spec.choices:
        return st.sampled_from([*spec.choices, *map(Plain, spec.choices)])
    if kind in (str, Path):
        return WORDS
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from([member.value for member in kind])
    if kind is bool:
        return st.booleans() | st.sampled_from(
            ["no", "true", *map(Plain, ("yes", "no", "On", "OFF", "True", "tRuE"))]
        )
    return {"s": DURATIONS, "%": PERCENT, "share": SHARES, "cores": SHARES}.get(spec.unit, NUMBERS)


def options(cls: type[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the options of a class; what is required mostly among them."""
    fields = {key: of(kind, spec_of(attribute)) for key, (attribute, kind) in fields_of(cls).items()}
    needed = {k: fields[k] for k, (a, _) in fields_of(cls).items() if a.default is attrs.NOTHING}
    whole = st.fixed_dictionaries(needed, optional={k: fields[k] for k in fields if k not in needed})
    return few(whole) | few(st.fixed_dictionaries({}, optional=fields))


def few(made: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return made.map(lambda given: dict(list(given.items())[:4]))


def sections(registry: Any, kinds: Mapping[str, Any]) -> Mapping[str, st.SearchStrategy[Any]]:
    """What people write for each section of a document."""
    made: dict[str, st.SearchStrategy[Any]] = {
        "application": st.sampled_from(["shop", "a.b-c", Plain("5"), 12, "no way"]),
        "release": options(Wanted),
        "strategies": st.just({}),
    }
    for key, (attribute, kind) in fields_of(Settings).items():
        made[key] = of(kind, spec_of(attribute))
    for key, kind in kinds.items():
        made[key] = choice(registry, kind)
    return made


def choice(registry: Any, kind: Any) -> st.SearchStrategy[Any]:
    """A plugin that is installed, one that is not, one with its options, and options alone."""
    ways: list[st.SearchStrategy[Any]] = [st.sampled_from(["zzz", {"name": "zzz", "x": 1}, {}])]
    for name, info in registry.infos(kind).items():
        declared = registry.options(info)
        ways.append(st.just(name))
        if declared is not None:
            ways += [
                options(declared),
                options(declared).map(lambda given, name=name: {"name": name, **given}),
            ]
    return st.one_of(ways)


@st.composite
def mutated(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """The document with something put in another's place, taken out, or misspelt."""
    path: list[Any] = []
    node: Any = document
    while isinstance(node, dict | list) and node and (not path or draw(st.booleans())):
        keys = list(node) if isinstance(node, dict) else range(len(node))
        path.append(draw(st.sampled_from(keys)))
        node = node[path[-1]]
    how = draw(st.sampled_from(["replace", "take out", "misspell"]))
    return typing.cast("dict[str, Any]", _put(document, path, how, draw(JUNK)))


def _put(node: Any, path: Sequence[Any], how: str, value: Any) -> Any:
    if not path:
        return value
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    made = []
    for key, child in pairs:
        if key != path[0]:
            made.append((key, child))
        elif path[1:]:
            made.append((key, _put(child, path[1:], how, value)))
        elif how == "replace":
            made.append((key, value))
        elif how == "misspell":
            made.append((f"{key}x", child))
    return dict(made) if isinstance(node, dict) else [child for _, child in made]
