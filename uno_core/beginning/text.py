"""YAML with comments, written so that uno reads back what was meant; and the defaults of options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

import attrs
import yaml

from uno_core.config.options import OptionSpec, spec_of
from uno_core.config.structure import fields_of
from uno_core.config.values import write_duration, write_share
from uno_core.model import Amount, Json


class Lines:
    """A document that grows from its top."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def __str__(self) -> str:
        return "\n".join(self._lines) + "\n"

    def blank(self) -> None:
        """An empty line, but never two."""
        if self._lines and self._lines[-1]:
            self._lines.append("")

    def comment(self, text: str, *, code: bool = False, indent: int = 0, note: str = "") -> None:
        """A line for a person. code: one that works once its `#` is taken out."""
        mark = "#" if code else "# "
        self._lines.append(" " * indent + mark + _noted(_one_line(text), note))

    def entry(self, key: str, value: Json, *, note: str = "", indent: int = 0) -> None:
        """A key and its value in one line."""
        self._lines.append(" " * indent + _noted(f"{flow(key)}: {flow(value)}", note))

    def section(self, key: str, values: Mapping[str, Json], notes: Mapping[str, str]) -> None:
        """A key with a mapping below it, a line for each value; a mapping in it has lines too."""
        self._lines.append(f"{flow(key)}:")
        for name, value in values.items():
            if isinstance(value, Mapping) and key == "strategies":
                self._lines.append(f"  {flow(name)}:" + ("" if value else " {}"))
                for inner, one in value.items():
                    self.entry(inner, one, indent=4)
            else:
                self.entry(name, value, note=notes.get(name, ""), indent=2)


def flow(value: Json) -> str:
    """A value in one line of YAML, quoted where it would be read as something else."""
    text: str = yaml.safe_dump(
        _plain(value), default_flow_style=True, width=1_000_000, allow_unicode=True, sort_keys=False
    )
    return text.removesuffix("...\n").strip()


def _plain(value: Any) -> Any:
    """Tuples and mappings of any make, as the YAML writer knows them."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _noted(text: str, note: str) -> str:
    return f"{text}  # {_one_line(note)}" if note else text


def defaults(declared: type[Any]) -> Iterator[tuple[str, str, str]]:
    """Each option that has a default: its key, the default as it can be written, what it is for."""
    for key, (attribute, _) in fields_of(declared).items():
        if attribute.default is not attrs.NOTHING:
            spec = spec_of(attribute)
            yield key, _written(_default(attribute), spec), spec.help


def _default(attribute: attrs.Attribute[Any]) -> Any:
    default: Any = attribute.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a class, though typed as a function
        return None if default.takes_self else default.factory()
    return default


def _written(value: Any, spec: OptionSpec) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_written(one, spec) for one in value) + "]"
    if isinstance(value, int | float) and not isinstance(value, bool) and spec.unit:
        writers = {
            "s": lambda v: write_duration(v) if v else "0s",
            "%": lambda v: f"{v:g}%",
            "share": write_share,
        }
        return writers.get(spec.unit, lambda v: f"{v:g}")(float(value))
    if isinstance(value, Amount | Enum):
        return str(value.value if isinstance(value, Enum) else value)
    if value is None or attrs.has(type(value)):
        return ""
    return flow(value)
