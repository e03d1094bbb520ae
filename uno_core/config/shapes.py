"""From a declared type to the JSON Schema of what may be written for it.

A schema sees what an editor sees: `1.10` is a number to it and `no` a text, in quotes or not. Each shape
takes exactly what `structure` takes of that, but for what `uno schema` cannot say at all.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args, get_origin

import attrs

from uno_core.config import values
from uno_core.config.measuring import LIMITS, MEASURED, limit_spec
from uno_core.config.options import OptionSpec, spec_of
from uno_core.config.sections import PLACES
from uno_core.config.structure import fields_of, is_json, required
from uno_core.config.values import BARE
from uno_core.errors import ConfigError
from uno_core.model import Amount, Bounds, Compare, Secret, Slot

Schema: TypeAlias = dict[str, Any]

_PLAIN = OptionSpec(help="")
_EXPONENT = r"(?:[eE][-+]?[0-9]+)?"
_DECIMAL = rf"(?:[0-9]+(?:\.[0-9]+)?{_EXPONENT}|\.[0-9]+)"
_NUMBER = rf"[0-9]+(?:\.[0-9]+)?{_EXPONENT}"
_PART = rf"{_NUMBER}(?:ms|[dhms])"
_MORE = r"(?=[0-9.]*[1-9])"
"""Before a number: it is more than nothing."""
_WORDS_OF_BOOLEANS = "^(?:[yY][eE][sS]|[nN][oO]|[oO][nN]|[oO][fF][fF])$"


def text(*, least: int = 0) -> Schema:
    """Any text; one that looks like a number or a truth value to an editor is one as well."""
    return {"type": ["string", "number", "boolean"], **({"minLength": least} if least else {})}


def nothing_or(shape: Schema) -> Schema:
    """A shape, or nothing."""
    kinds = shape.get("type")
    if "enum" in shape:
        return {**shape, "enum": [*shape["enum"], None]}
    if kinds and "anyOf" not in shape:
        several = [kinds] if isinstance(kinds, str) else kinds
        return {**shape, "type": list(dict.fromkeys([*several, "null"]))}
    return {"anyOf": [shape, {"type": "null"}]}


def words(choices: Sequence[str]) -> Schema:
    """One of these texts, also where an editor takes one for something else."""
    seen: list[Any] = []
    for choice in choices:
        seen.append(choice)
        if choice in ("true", "false"):
            seen.append(choice == "true")
        elif re.fullmatch(r"0|[1-9][0-9]*", choice):
            seen.append(int(choice))
    return {"enum": seen}


def shape(kind: Any, spec: OptionSpec = _PLAIN) -> Schema:
    """What may be written for a type.

    Raises ConfigError for a type that cannot be read from a file, as reading it would.
    """
    if is_json(kind):
        return {}
    origin = get_origin(kind) or kind
    if origin in (typing.Union, types.UnionType):
        return _union(get_args(kind), spec)
    if origin is Literal:
        return words([str(choice) for choice in get_args(kind)])
    if kind is Secret:
        return _secret()
    if kind is Bounds:
        return _bounds("")
    if kind is Amount:
        return _amount(spec)
    if isinstance(origin, type) and attrs.has(origin):
        return of_class(origin, whole=True)
    if origin in (tuple, list, Sequence, frozenset, set):
        return _list(kind, origin, spec)
    if origin in (dict, Mapping) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return _mapping(kind)
    return _scalar(kind, spec)


def of_class(cls: type[Any], *, whole: bool = False, without: Sequence[str] = ()) -> Schema:
    """The mapping that makes a class. `whole`: as it stands in a list, where nothing is laid over it.

    Elsewhere what is required may stand in another layer, and is not asked for here.
    """
    fields = {key: found for key, found in fields_of(cls).items() if key not in without}
    made: Schema = {
        "type": "object",
        "properties": {key: field(attribute, kind) for key, (attribute, kind) in fields.items()},
        "additionalProperties": False,
    }
    needed = [key for key in required(cls) if key in fields] if whole else []
    if needed:
        made["required"] = needed
    if "name" in fields and not set(needed) - {"name"}:
        return {"anyOf": [made, made["properties"]["name"]]}
    return made if needed else nothing_or(made)


def places(declared: type[Any]) -> Mapping[str, Schema]:
    """What is different in the place of each slot; what both need stands above it."""
    slots = [slot.value for slot in Slot]
    both: Schema = {
        "type": "object",
        "description": "a platform for each slot, with another one's router before them: what differs there",
        "properties": dict.fromkeys(slots, of_class(declared)),
        "additionalProperties": False,
        "required": slots,
    }
    return {PLACES: both}


def field(attribute: attrs.Attribute[Any], kind: Any) -> Schema:
    """An option, with what it is for and its default."""
    spec = spec_of(attribute)
    inner = class_in(kind)
    made = of_class(inner) if inner else shape(kind, spec)
    if kind is Bounds:
        made = _bounds(attribute.name)
    limits = spec.limits()
    told = spec.help + (f" ({limits})" if limits else "")
    if spec.choices and not inner:
        made = _chosen(made, spec.choices)
    extra: Schema = {"description": told} if told else {}
    if (default := default_of(attribute)) is not None:
        extra["default"] = default
    return {**extra, **made}


def class_in(kind: Any) -> type[Any] | None:
    """The attrs class of a type, or of that type or nothing; None where it is something else."""
    rest = [one for one in (get_args(kind) or (kind,)) if one is not type(None)]
    single = get_origin(kind) in (None, typing.Union, types.UnionType) and len(rest) == 1
    found = rest[0] if single else None
    known = isinstance(found, type) and attrs.has(found) and found not in (Amount, Bounds, Secret)
    return found if known else None


def default_of(attribute: attrs.Attribute[Any]) -> Any:
    """A default as it could be written; None where there is none, or where it is nothing."""
    value: Any = attribute.default
    if isinstance(value, attrs.Factory):  # type: ignore[arg-type]  # a class, though typed as a function
        value = None if value.takes_self else value.factory()
    if value is attrs.NOTHING or value is None or value in ((), [], {}, "") or _class_of(value):
        return None
    return written(value, spec_of(attribute).unit)


def _class_of(value: Any) -> bool:
    return attrs.has(type(value)) and not isinstance(value, Amount)


def written(value: Any, unit: str) -> Any:
    """A value as JSON that reads as the same value: durations as `30s`, amounts as `25%`."""
    if isinstance(value, bool):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [written(one, unit) for one in value]
    if isinstance(value, Mapping):
        return {str(key): written(one, "") for key, one in value.items()}
    if isinstance(value, int | float):
        if unit == "s":
            return values.write_duration(float(value)) if value else 0
        return int(value) if value == int(value) else value
    if isinstance(value, Amount):
        return str(value) if value.percent else int(value.value)
    return str(value.value if isinstance(value, Enum) else value)


def _chosen(made: Schema, choices: Sequence[str]) -> Schema:
    inner: Any = made.get("items")
    if isinstance(inner, dict):
        return {**made, "items": words(choices)}
    chosen = words(choices)
    return nothing_or(chosen) if "null" in made.get("type", ()) else chosen


def _union(kinds: Sequence[Any], spec: OptionSpec) -> Schema:
    rest = [kind for kind in kinds if kind is not type(None)]
    shapes = [shape(kind, spec) for kind in rest]
    one = shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
    return nothing_or(one) if len(rest) < len(kinds) else one


def _secret() -> Schema:
    file = {
        "type": "object",
        "properties": {"file": text()},
        "required": ["file"],
        "additionalProperties": False,
    }
    variable = {"type": "string", "pattern": r"^\$\{[A-Za-z_][A-Za-z0-9_]*\}$"}
    return {"anyOf": [variable, file], "description": "a secret: ${ENV_VAR} or {file: path}"}


def _list(kind: Any, origin: Any, spec: OptionSpec) -> Schema:
    item = get_args(kind) or (str, ...)
    if origin is tuple and item[-1] is not Ellipsis:
        prefix = [shape(one, spec) for one in item]
        return {"type": "array", "prefixItems": prefix, "minItems": len(item), "maxItems": len(item)}
    made: Schema = {"type": "array", "items": shape(item[0], spec)}
    return made


def _mapping(kind: Any) -> Schema:
    key, item = get_args(kind) or (str, Any)
    made: Schema = {"type": ["object", "null"], "propertyNames": {"minLength": 1}}
    if item is Bounds:
        return {**made, **_metrics()}
    inner = class_in(item)
    made["additionalProperties"] = of_class(inner) if inner else shape(item)
    if key is not str:
        made["propertyNames"] = {**shape(key), **made["propertyNames"]}
    return made


def _metrics() -> Schema:
    """Bounds by metric: the name says the unit, as it does when they are read."""
    names = {"^latency": "latency", "^cpu$": "cpu", "^(?!latency).*_rate$": "error_rate"}
    return {
        "patternProperties": {pattern: _bounds(metric) for pattern, metric in names.items()},
        "additionalProperties": _bounds(""),
        "properties": {
            "error_rate": {"description": "share of the requests that fail, at most: 1% or {max: 1%}"},
            "latency_p95": {"description": "95 of 100 requests are at most as slow: 300ms"},
        },
    }


def _bounds(metric: str) -> Schema:
    one = _scalar(float, limit_spec(metric, ""))
    ratio = _scalar(float, limit_spec(metric, Compare.RATIO))
    described = {
        key: {
            "description": spec.help,
            **(_chosen(shape(kind, spec), spec.choices) if spec.choices else shape(kind, spec)),
        }
        for key, (kind, spec) in MEASURED.items()
    }
    both = {
        "type": "object",
        "properties": {**{limit: {} for limit in LIMITS}, **described},
        "additionalProperties": False,
        "anyOf": [{"required": [limit]} for limit in LIMITS],
        "if": {"properties": {"compare": {"const": Compare.RATIO}}, "required": ["compare"]},
        "then": {"properties": dict.fromkeys(LIMITS, ratio)},
        "else": {"properties": dict.fromkeys(LIMITS, one)},
    }
    return {"anyOf": [one, both]}


def _limits(spec: OptionSpec) -> Schema:
    names = (
        ("exclusiveMinimum", spec.gt),
        ("minimum", spec.ge),
        ("exclusiveMaximum", spec.lt),
        ("maximum", spec.le),
    )
    return {name: limit for name, limit in names if limit is not None}


def _amount(spec: OptionSpec) -> Schema:
    percent = rf"{_MORE}{_below(100, including=True)}\s*%"
    limits = {"minimum": 1, **_limits(spec), "maximum": min(spec.le or 999_999_999, 999_999_999)}
    return {"type": ["integer", "string"], "pattern": rf"^(?:[1-9][0-9]{{0,8}}|{percent})$", **limits}


def _scalar(kind: Any, spec: OptionSpec) -> Schema:
    if kind in (str, Path):
        return text()
    if isinstance(kind, type) and issubclass(kind, Enum):
        return words([str(member.value) for member in kind])
    if kind is bool:
        return {"type": ["boolean", "string"], "pattern": _WORDS_OF_BOOLEANS}
    if kind in (int, float):
        number = "integer" if kind is int else "number"
        if not spec.unit:
            return {"type": number, **_limits(spec)}
        if spec.unit == "latency":
            pattern = rf"^(?:{_below(BARE, including=False)}|(?:{_PART})+)$"
            return {"type": [number, "string"], "pattern": pattern, "minimum": 0, "exclusiveMaximum": BARE}
        if spec.unit == "s":
            return {"type": [number, "string"], "pattern": _duration(spec), "minimum": 0, **_limits(spec)}
        return {"type": [number, "string"], **_measured(spec)}
    raise ConfigError(
        f"an option of type {kind} cannot be read from a file",
        where=spec.help,
        remedy="the plugin's author declares it as text, number, list, mapping or attrs class",
    )


def _duration(spec: OptionSpec) -> str:
    """Durations as text. Of limits only that there has to be any can be said by a pattern."""
    number, part = _NUMBER, _PART
    if spec.gt is not None and spec.gt >= 0:
        return rf"^(?:{_MORE}{number}|(?:{part})*{_MORE}{part}(?:{part})*)$"
    return rf"^(?:{number}|(?:{part})+)$"


def _measured(spec: OptionSpec) -> Schema:
    """Shares, percent, cores and numbers in any other unit: bare, or as text with or without `%`."""
    if spec.unit == "share":
        return {"minimum": 0, "exclusiveMaximum": 1, "pattern": _share(spec), **_limits(spec)}
    if spec.unit == "cores":
        return {"pattern": rf"^(?:[-+]?{_DECIMAL}|{_DECIMAL}\s*%)$", **_limits(spec)}
    percent = r"\s*%" if spec.unit == "%" else ""
    sign = "" if (spec.gt is not None and spec.gt >= 0) or (spec.ge is not None and spec.ge >= 0) else "[-+]?"
    return {"pattern": rf"^{sign}{_within(spec)}(?:{percent})?$", **_limits(spec)}


def _share(spec: OptionSpec) -> str:
    """A share as text, within an upper limit of whole percents: `0.01` or `1%`."""
    limit = spec.le if spec.le is not None else spec.lt
    most = _whole_limit(round(limit * 100, 9)) if limit is not None and limit <= 1 else None
    below = spec.le is None and spec.lt is not None and most is not None
    most = 100 if most is None else most
    tens, ones = divmod(most, 10)
    two = [rf"[0-{tens - 1}][0-9]"] if tens else []
    two += [rf"{tens}[0-{ones - 1}]"] if ones and tens < 10 else []
    one = -(-most // 10) - 1  # the greatest first digit that is below the limit by itself
    exact = rf"|{f'{most:02d}'.rstrip('0') or '0'}0*" if most < 100 and not below else ""
    fraction = rf"\.(?:(?:{'|'.join(two)})[0-9]*|[0-{one}](?![0-9]){exact})"
    bare = rf"0*(?:{fraction}|0(?:{fraction})?)"
    more = _MORE if spec.gt is not None and spec.gt >= 0 else ""
    return rf"^{more}(?:{bare}|{_below(most, including=not below)}\s*%)$"


def _within(spec: OptionSpec) -> str:
    """A decimal number within the limits that are whole numbers and not negative."""
    most = _whole_limit(spec.le if spec.le is not None else spec.lt)
    number = _DECIMAL if most is None else _below(most, including=spec.le is not None)
    least = _whole_limit(spec.ge if spec.ge is not None else spec.gt)
    if least is None or (least == 0 and spec.ge is not None):
        return number
    if least == 0:
        return _MORE + number
    return rf"(?!{_below(least, including=spec.gt is not None)}(?:\s*%)?$){number}"


def _whole_limit(limit: float | None) -> int | None:
    return int(limit) if limit is not None and limit >= 0 and limit == int(limit) else None


def _below(limit: int, *, including: bool) -> str:
    """A decimal number from 0 up to a whole limit; one with an exponent is not compared."""
    exact = rf"0*{limit}(?:\.0+)?" if including else ""
    smaller = rf"0*(?:{_up_to(limit - 1)})(?:\.[0-9]+)?{_EXPONENT}|\.[0-9]+" if limit else ""
    return rf"(?:{'|'.join(filter(None, (exact, smaller)))})"


def _up_to(limit: int) -> str:
    """Whole numbers from 0 to the limit, without leading zeros."""
    digits = str(limit)
    ways = [r"[0-9]" if len(digits) > 1 else f"[0-{digits}]"]
    ways += [rf"[1-9][0-9]{{{length}}}" for length in range(1, len(digits) - 1)]
    for place, digit in enumerate(digits if len(digits) > 1 else ""):
        least = 1 if place == 0 else 0
        if int(digit) > least:
            ways.append(rf"{digits[:place]}[{least}-{int(digit) - 1}][0-9]{{{len(digits) - place - 1}}}")
    return "|".join(dict.fromkeys([*ways, digits] if len(digits) > 1 else ways))
