"""Conditions on a document, as JSON Schema: what stands where, and whom a section names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from uno_core.config.shapes import Schema

EVERY = "*"
MAPPING: Schema = {"type": "object"}


def names(name: str | Schema) -> Schema:
    """Whether a section names this plugin, in its short form or its long one."""
    exact: Schema = {"const": name} if isinstance(name, str) else name
    return {"anyOf": [exact, {"type": "object", "properties": {"name": exact}, "required": ["name"]}]}


def by_scheme(schemes: Iterable[str]) -> Schema:
    """A URL of one of these schemes."""
    return {"type": "string", "pattern": f"^(?:{'|'.join(sorted(schemes))})://"}


def has(path: Sequence[str]) -> Schema:
    """Whether a key path stands there."""
    made: Schema = {"type": "object", "required": [path[0]]}
    return {**made, "properties": {path[0]: has(path[1:])}} if path[1:] else made


def at(path: Sequence[str], schema: Schema) -> Schema:
    """What stands at a key path, where anything does, keeps a schema; `*` is every key."""
    if path and path[0] == EVERY:
        return {"additionalProperties": at(path[1:], schema)}
    return {"properties": {path[0]: at(path[1:], schema)}} if path else schema


def being(path: Sequence[str], schema: Schema) -> Schema:
    """Something stands at a key path, and keeps a schema."""
    return {"allOf": [has(path), at(path, schema)]}


def each(schema: Schema) -> Schema:
    """Every environment keeps a schema."""
    return {"properties": {"environments": {"additionalProperties": schema}}}


NAMED: Schema = {"anyOf": [{"type": ["string", "number", "boolean"]}, has(["name"])]}
"""A section names anybody."""

ALONE: Schema = {"not": being(["environments"], {"type": "object", "minProperties": 1})}


def said(given: Schema) -> Schema:
    """An environment says something; one of which nothing is written takes the top as it is."""
    return {"allOf": [MAPPING, given]}


def needs(where: Sequence[str], needed: str, *, whole: bool = False) -> Schema:
    """The mapping at a key path, where there is one, has a key; `whole`: its short form has not."""
    return at(where, {**(MAPPING if whole else {}), "required": [needed]})


def emptied(where: Sequence[str]) -> Schema:
    """An environment puts nothing where the top has a mapping."""
    return {"anyOf": [being(where[:n], {"not": MAPPING}) for n in range(1, len(where) + 1)]}


def names_other(name: str) -> Schema:
    """A section names another plugin than this one."""
    return {
        "anyOf": [
            {"type": ["string", "number", "boolean"], "not": {"const": name}},
            {"type": "object", "required": ["name"], "properties": {"name": {"not": {"const": name}}}},
        ]
    }


def where_named(name: str | Schema, then: Schema) -> Schema:
    """What a section has to be where its long form names this plugin."""
    value = {"const": name} if isinstance(name, str) else name
    condition = {"type": "object", "required": ["name"], "properties": {"name": value}}
    return {"if": condition, "then": then}


def where_unnamed(then: Schema) -> Schema:
    """What a section has to be where it is a mapping and names nobody."""
    return {"if": {"type": "object", "not": {"required": ["name"]}}, "then": then}
