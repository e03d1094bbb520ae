"""From what was written to what was declared: a node and an attrs class give a value, or every mistake."""

from __future__ import annotations

import re
import shlex
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args, get_origin

import attrs
import yaml

from uno_core.config import values
from uno_core.config.measuring import LIMITS, MEASURED, limit_spec
from uno_core.config.mistakes import Mistakes, nearest
from uno_core.config.nodes import Items, Node, Scalar, Table
from uno_core.config.options import OptionSpec, spec_of
from uno_core.errors import ConfigError
from uno_core.model import Amount, Bounds, Compare, Json, Secret

T = TypeVar("T")
WRONG: Any = object()
"""Stands for a value that could not be made; the mistake is collected."""
PART: Any = object()
"""Stands for a value of which only a part was looked at, and is fine."""

_PLAIN = OptionSpec(help="")
_SECRET = "${ENV_VAR} or {file: path}"  # noqa: S105 - how a secret is written, not one
_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def structure(
    node: Node, cls: type[T], path: str = "", *, mistakes: Mistakes | None = None, partial: bool = False
) -> T:
    """Make a value of an attrs class from what was written under the key path.

    Raises ConfigError with every mistake at once. Where `mistakes` is given they are added to it
    instead, and what is returned is `WRONG`. partial: only a layer of what will be laid together is
    looked at, so that nothing is missing yet and no value is made: what is returned is `PART`.
    """
    collected = Mistakes() if mistakes is None else mistakes
    made = _Structure(collected, partial=partial).attrs(node, cls, path)
    if mistakes is None:
        collected.raise_any()
    return cast("T", made)


def plain(node: Node) -> Json:
    """JSON without any declaration: a text is a number only where the number is written like that.

    So 1.10 stays a text, and 1.1 and 25 are numbers; `no` and `on` stay texts.
    """
    if isinstance(node, Table):
        return {key: plain(child) for key, child in node.entries.items()}
    if isinstance(node, Items):
        return [plain(child) for child in node.nodes]
    if node.empty:
        return None
    if node.plain and node.text in ("true", "false"):
        return node.text == "true"
    if node.plain:
        for read in (values.whole_number, values.number):
            try:
                number = cast("float", read(node.text))
            except ValueError:
                continue
            if str(number) == node.text:
                return number
    return node.text


def fields_of(cls: type[Any]) -> Mapping[str, tuple[attrs.Attribute[Any], Any]]:
    """The fields of a class by the key that they are written under, each with its resolved type."""
    return _resolved(cast("Any", cls))


@cache
def _resolved(cls: Any) -> Mapping[str, tuple[attrs.Attribute[Any], Any]]:
    try:
        hints = typing.get_type_hints(cls)
    except NameError as error:
        raise ConfigError(
            f"the options {cls.__name__} cannot be read",
            found=str(error),
            where=f"{cls.__module__}.{cls.__qualname__}",
            remedy="the plugin's author imports the types of options outside TYPE_CHECKING",
        ) from None
    return {a.alias or a.name: (a, hints.get(a.name, Any)) for a in attrs.fields(cls) if a.init}


def required(cls: type[Any]) -> Sequence[str]:
    """The keys of a class that have no default."""
    return [key for key, (attribute, _) in fields_of(cls).items() if attribute.default is attrs.NOTHING]


def is_json(kind: Any) -> bool:
    """Whether a type takes whatever was written."""
    # Json refers to itself: resolving a class's types may unfold it once, or leave its name.
    if isinstance(kind, typing.ForwardRef):
        return kind.__forward_arg__ == "Json"
    return kind in (Any, object, Json) or {bool, int, float, str} <= set(get_args(kind))


class _Structure:
    def __init__(self, mistakes: Mistakes, *, partial: bool = False) -> None:
        self._mistakes = mistakes
        self._partial = partial

    def _wrong(self, node: Node, path: str, expected: str, remedy: str = "") -> Any:
        where = f"{node.where}, {path}" if node.where and path else node.where or path
        self._mistakes.add(
            f"{path or 'the value'} is not what it has to be",
            found=node.told(),
            expected=expected,
            where=where,
            remedy=remedy,
        )
        return WRONG

    def value(self, node: Node, kind: Any, path: str, spec: OptionSpec = _PLAIN) -> Any:
        """Make a value of any supported type; WRONG where that cannot be done."""
        made = self._unchecked(node, kind, path, spec)
        if made is not WRONG and made is not PART and (expected := spec.complaint(made)):
            near = nearest(node.text, spec.choices) if isinstance(node, Scalar) else ""
            return self._wrong(node, path, expected, near)
        return made

    def _unchecked(self, node: Node, kind: Any, path: str, spec: OptionSpec) -> Any:
        if is_json(kind):
            return plain(node)
        origin = get_origin(kind) or kind
        if origin in (typing.Union, types.UnionType):
            return self._union(node, get_args(kind), path, spec)
        if origin is Literal:
            return self._scalar(node, path, _one_of([str(choice) for choice in get_args(kind)]))
        if kind is Secret:
            return self._secret(node, path)
        if kind is Bounds:
            return self._bounds(node, path)
        if isinstance(origin, type) and attrs.has(origin) and kind is not Amount:
            return self.attrs(node, origin, path)
        if origin in (tuple, list, Sequence, frozenset, set):
            return self._list(node, kind, origin, path, spec)
        if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
            return self._mapping(node, kind, path, spec)
        return self._scalar(node, path, _reader(kind, spec))

    def _scalar(self, node: Node, path: str, read: Callable[[Scalar], Any]) -> Any:
        if isinstance(node, Scalar):
            try:
                return read(node)
            except ValueError as error:
                return self._wrong(node, path, str(error))
        try:
            read(Scalar(text="\0", plain=False))  # only to learn what it expects
        except ValueError as error:
            return self._wrong(node, path, str(error))
        return self._wrong(node, path, "a text", "write one value; put it in quotes where it holds { or [")

    def _union(self, node: Node, kinds: Sequence[Any], path: str, spec: OptionSpec) -> Any:
        rest = [kind for kind in kinds if kind is not type(None)]
        if len(rest) < len(kinds) and isinstance(node, Scalar) and node.empty:
            return None
        if len(rest) == 1:
            return self._unchecked(node, rest[0], path, spec)
        # A text is anything, so it comes last: `${TOKEN}` is a secret where one may be. But "no" is a text.
        quoted = isinstance(node, Scalar) and not node.plain
        expected: list[str] = []
        for kind in sorted(rest, key=lambda k: (k is bool and quoted, k is str, k is not Secret)):
            trial = Mistakes()
            made = _Structure(trial, partial=self._partial)._unchecked(node, kind, path, spec)  # noqa: SLF001 - its own kind
            if made is not WRONG and not trial:
                return made
            expected += trial.expected()
        return self._wrong(node, path, " or ".join(dict.fromkeys(expected)))

    def _secret(self, node: Node, path: str) -> Any:
        if isinstance(node, Table) and set(node.entries) == {"file"}:
            name = self.value(node.entries["file"], str, f"{path}.file")
            return WRONG if name is WRONG else Secret(f"file:{(node.folder or Path.cwd()) / name}")
        if isinstance(node, Scalar) and _ENV.fullmatch(node.text):
            return Secret(node.text)
        # What was found is not told: it may be the secret itself.
        self._mistakes.add(
            f"{path} is a secret and does not stand in the file",
            expected=_SECRET,
            where=f"{node.where}, {path}" if node.where else path,
            remedy="put it in an environment variable or a file, and name that here as a whole",
        )
        return WRONG

    def _bounds(self, node: Node, path: str) -> Any:
        metric = path.rsplit(".", 1)[-1]
        if not isinstance(node, Table):
            most = self.value(node, float, path, limit_spec(metric, ""))
            return WRONG if most is WRONG else self._limited(node, path, None, most, {})
        for key in node.entries:
            if key not in (*LIMITS, *MEASURED):
                self._unknown(node, key, path, (*LIMITS, *MEASURED))
        measured = {
            key: self.value(node.entries[key], kind, f"{path}.{key}", spec)
            for key, (kind, spec) in MEASURED.items()
            if key in node.entries
        }
        limit = limit_spec(metric, str(measured.get("compare", "")))
        limits = {
            key: self.value(node.entries[key], float, f"{path}.{key}", limit)
            for key in LIMITS
            if key in node.entries
        }
        made = {**measured, **limits}
        if any(one is WRONG for one in made.values()) or len(made) < len(node.entries):
            return WRONG
        return self._limited(node, path, limits.get("min"), limits.get("max"), measured)

    def _limited(
        self, node: Node, path: str, least: float | None, most: float | None, measured: Mapping[str, Any]
    ) -> Any:
        try:
            made = values.bounds(least, most)
        except ValueError as error:
            return self._wrong(node, path, str(error))
        compare = Compare(measured.get("compare", Compare.VALUE))
        return attrs.evolve(made, **{**measured, "compare": compare})

    def _list(self, node: Node, kind: Any, origin: Any, path: str, spec: OptionSpec) -> Any:
        item = get_args(kind) or (str, ...)
        if not isinstance(node, Items):
            parts: list[str] = []
            if isinstance(node, Scalar) and not node.empty:
                try:
                    parts = shlex.split(node.text)
                except ValueError:
                    parts = [node.text]
            written = yaml.safe_dump(parts, default_flow_style=True, width=1000).strip()
            if item[0] is not str:
                written = f"[{node.text}]" if isinstance(node, Scalar) and parts else ""
            remedy = f"write {path.rsplit('.', 1)[-1]}: {written}" if parts else "write it as [one, two]"
            return self._wrong(node, path, "a list", remedy)
        if origin is tuple and item[-1] is not Ellipsis:
            kinds = list(item)
            if len(kinds) != len(node.nodes):
                return self._wrong(node, path, f"a list of {len(kinds)}")
        else:
            kinds = [item[0]] * len(node.nodes)
        whole = _Structure(self._mistakes)  # nothing is laid over a part of a list
        made = [
            whole.value(child, one, f"{path}[{index}]", spec)
            for index, (child, one) in enumerate(zip(node.nodes, kinds, strict=True))
        ]
        if any(one is WRONG for one in made):
            return WRONG
        return tuple(made) if origin is Sequence else origin(made)

    def _mapping(self, node: Node, kind: Any, path: str, spec: OptionSpec) -> Any:
        key_kind, item = get_args(kind) or (str, Json)
        if isinstance(node, Scalar) and node.empty:
            return {}
        if not isinstance(node, Table):
            return self._wrong(node, path, "a mapping", "write it as {name: value}")
        made: dict[Any, Any] = {}
        for name, child in node.entries.items():
            where = Scalar(text=name, where=node.line(name))
            key = name if key_kind is str else self.value(where, key_kind, f"{path}.{name}")
            made[key] = self.value(child, item, f"{path}.{name}", spec)
        wrong = any(one is WRONG for pair in made.items() for one in pair)
        return WRONG if wrong else made

    def _unknown(self, node: Table, key: str, path: str, known: Sequence[str]) -> None:
        self._mistakes.add(
            f"{path + ' knows' if path else 'there is'} no key {key}",
            found=key,
            expected=f"one of {', '.join(known)}" if known else "no key at all",
            where=f"{node.line(key)}, {path + '.' if path else ''}{key}",
            remedy=nearest(key, known),
        )

    def _missing(self, node: Table, cls: type[Any], path: str, given: Mapping[str, Any]) -> bool:
        missing = [] if self._partial else [key for key in required(cls) if key not in given]
        for key in missing:
            told = spec_of(fields_of(cls)[key][0]).help
            self._mistakes.add(
                f"{path + ' lacks' if path else 'there is no'} {key}",
                expected=f"{key}: {told}" if told else key,
                where=f"{node.where}, {path}" if node.where and path else node.where or path,
                remedy=f"add {key}",
            )
        return bool(missing)

    def attrs(self, node: Node, cls: type[Any], path: str) -> Any:
        """Make a value of an attrs class from a mapping; `x: name` is short for `x: {name: name}`."""
        fields = fields_of(cls)
        if isinstance(node, Scalar) and node.empty:
            node = Table(where=node.where, folder=node.folder)
        elif isinstance(node, Scalar) and "name" in fields:
            node = Table(entries={"name": node}, where=node.where, folder=node.folder)
        if not isinstance(node, Table):
            return self._wrong(node, path, "a mapping of " + ", ".join(fields))
        path = node.path or path
        given: dict[str, Any] = {}
        for key, child in node.entries.items():
            if key in fields:
                attribute, kind = fields[key]
                given[key] = self.value(child, kind, f"{path}.{key}" if path else key, spec_of(attribute))
            else:
                self._unknown(node, key, path, list(fields))
        missing = self._missing(node, cls, path, given)
        for key, (attribute, _) in fields.items():
            # A relative path that nobody wrote belongs to the file as well, not to where uno was started.
            if key not in given and node.folder and isinstance(attribute.default, Path):
                given[key] = node.folder / attribute.default
        if (
            missing
            or any(key not in fields for key in node.entries)
            or any(one is WRONG for one in given.values())
        ):
            return WRONG
        if self._partial:
            return PART
        try:
            return cls(**given)
        except ConfigError as error:
            self._mistakes.take(error)
            return WRONG
        except (ValueError, TypeError) as error:  # a check of the class's own, over several of its fields
            return self._wrong(node, path, str(error))


def _one_of(choices: Sequence[str]) -> Callable[[Scalar], str]:
    def read(node: Scalar) -> str:
        if node.text not in choices:
            near = nearest(node.text, choices)
            raise ValueError("one of " + ", ".join(choices) + (f"; {near}" if near else ""))
        return node.text

    return read


def _reader(kind: Any, spec: OptionSpec) -> Callable[[Scalar], Any]:
    """What reads a text as this type; ValueError says what was expected instead."""
    if kind is str:
        return _text
    if kind is Amount:
        return lambda node: values.amount(node.text)
    if kind is Path:
        return _path
    if isinstance(kind, type) and issubclass(kind, Enum):
        choices = {str(member.value): member for member in kind}
        return lambda node: choices[_one_of(list(choices))(node)]
    if kind is float and spec.unit:
        return lambda node: values.measure(node.text, spec.unit)
    if kind is int and spec.unit:
        return lambda node: _whole(values.measure(node.text, spec.unit))
    strict = {bool: values.boolean, int: values.whole_number, float: values.number}.get(kind)
    if strict is None:
        raise ConfigError(
            f"an option of type {kind} cannot be read from a file",
            where=spec.help,
            remedy="the plugin's author declares it as text, number, list, mapping or attrs class",
        )
    return lambda node: _unquoted(node, strict)


def _path(node: Scalar) -> Path:
    """Relative to the folder of the file in which it was written, not to where uno was started."""
    try:
        return (node.folder or Path.cwd()) / Path(_text(node)).expanduser()
    except RuntimeError as problem:  # ~nobody
        raise ValueError("a path; nobody here has that home directory") from problem


def _text(node: Scalar) -> str:
    if node.empty:
        raise ValueError('a text; "" is an empty one')
    return node.text


def _whole(number: float) -> int:
    if number != int(number):
        raise ValueError("a whole number of them")
    return int(number)


def _unquoted(node: Scalar, read: Callable[[str], Any]) -> Any:
    value = read(node.text)
    # In quotes these are still no other word: editors cannot tell them from those without.
    if not node.plain and not (isinstance(value, bool) and node.text.lower() in ("yes", "no", "on", "off")):
        raise ValueError(f"{node.text} without quotes")
    return value
