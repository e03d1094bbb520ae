"""The JSON Schema of the whole document, with the options of every plugin that is installed.

Made from what the loader reads by: the classes of options. What stands under `environments` is laid over
the top of the document, so that what is required may stand in either; these are the rules in `allOf`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

from attrs import define, field

from uno_core.config import shapes
from uno_core.config.checking import KINDS, LISTED
from uno_core.config.conditions import (
    ALONE,
    EVERY,
    MAPPING,
    NAMED,
    at,
    being,
    by_scheme,
    each,
    emptied,
    has,
    names,
    names_other,
    needs,
    said,
    where_named,
    where_unnamed,
)
from uno_core.config.document import CHOICES, Settings
from uno_core.config.document import KINDS as KNOWN
from uno_core.config.load import NAME, NAMELESS
from uno_core.config.sections import traffic_fields
from uno_core.config.shapes import Schema
from uno_core.config.structure import fields_of, required
from uno_core.config.wanted import Wanted
from uno_core.contracts.services import Info
from uno_core.contracts.state import StateStoreInfo
from uno_core.contracts.strategy import StrategyInfo
from uno_core.discovery import PluginKind
from uno_core.errors import UnoError
from uno_core.model import Kind
from uno_core.registry import Registry

DIALECT = "https://json-schema.org/draft/2020-12/schema"
USE = "# yaml-language-server: $schema=uno.schema.json"
_TOLD = {
    "platform": "what the application runs on, and its options",
    "traffic": "the options of the platform's router, another platform that routes, or none",
    "state": "where journal and locks lie: file, {directory: …}, or a URL",
    "engine": "what drives a deployment",
    "health": "how an instance is asked whether it is well",
    "metrics": "where requests, errors and latencies are read",
    "judge": "who judges the metrics",
    "notify": "who is told of what happens: one or a list",
    "more_metrics": "further metric providers, for metrics that the first does not give: one or a list",
    "more_judges": "who judges beside `judge`; without it whoever compares the slots, with [] nobody",
    "strategy": "how the application is deployed",
}


def schema(registry: Registry, problems: list[str] | None = None) -> Schema:
    """The schema as JSON. What a plugin cannot declare is left open, and told in `problems`."""
    return _Maker(registry, [] if problems is None else problems).document()


@define
class _Maker:
    """Makes the document; what several sections share is kept in `defs`."""

    registry: Registry
    problems: list[str]
    defs: dict[str, Schema] = field(factory=dict, init=False)
    rules: list[Schema] = field(factory=list, init=False)

    def document(self) -> Schema:
        layer: dict[str, Schema] = {}
        for key, section in self._sections().items():
            self.defs[f"section.{key}"] = section
            layer[key] = {"$ref": f"#/$defs/section.{key}"}
        self.defs["environment"] = self._environment(layer)
        self._required_of_settings()
        named = [key for key in (*CHOICES, "strategy") if key not in NAMELESS]
        top = {
            "uno": {"enum": [1, "1", "1.0"], "description": "the form of the file"},
            "application": layer["application"],
            "environment": {**_name(), "description": "where it is deployed; or --environment"},
            "environments": {
                "type": "object",
                "description": "what is different in each: laid over everything above it",
                "propertyNames": _name(string=True),
                "additionalProperties": {"$ref": "#/$defs/environment"},
            },
            **{key: {**shape, "required": ["name"]} if key in named else shape
               for key, shape in layer.items() if key != "application"},
        }  # fmt: skip
        return {
            "$schema": DIALECT,
            "title": "uno.yaml",
            "description": "How uno deploys an application.",
            "$comment": f"uno schema > uno.schema.json, and in the first line of uno.yaml: {USE}",
            "type": "object",
            "properties": top,
            "additionalProperties": False,
            "allOf": [*self._required_of_the_top(named), *self.rules],
            "$defs": self.defs,
        }

    def _sections(self) -> Mapping[str, Schema]:
        made: dict[str, Schema] = {
            "application": {**_name(), "description": "the name of what is deployed; or --app-name"},
            "release": {**shapes.of_class(Wanted), "description": "what is to run, or --version and --image"},
        }
        for key in CHOICES:
            made[key] = self._choice(key)
        for key, kind in LISTED.items():
            made[key] = self._listed(key, kind)
        made["strategy"] = self._inline()
        made["strategies"] = self._strategies()
        made["plugins"] = {
            "type": ["object", "null"],
            "description": "which distribution provides a name that two claim",
            "propertyNames": {"pattern": f"^(?:{'|'.join(PluginKind)})\\.."},
            "additionalProperties": shapes.text(),
        }
        fields = fields_of(Settings)
        return {**made, **{key: shapes.field(*fields[key]) for key in fields}}

    # Sections that name a plugin

    def _declared(self, info: Info) -> type[Any] | None:
        try:
            declared = self.registry.options(info)
            if declared is not None:
                shapes.of_class(declared)
        except UnoError as error:
            self.problems.append(f"the options of {info.name} are left open: {error.message}: {error.found}")
            return None
        return declared

    def _classes(self, kind: type[Info]) -> Mapping[str, tuple[Info, type[Any] | None]]:
        return {name: (info, self._declared(info)) for name, info in self.registry.infos(kind).items()}

    def _choice(self, key: str) -> Schema:
        rules: list[Schema] = []
        classes = self._classes(KINDS[key])
        for name, (info, declared) in classes.items():
            schemes = info.schemes if isinstance(info, StateStoreInfo) else frozenset()
            if key == "traffic":
                rules.append(self._router(name, declared))
            elif declared is not None:
                properties = shapes.of_class(declared)["properties"]
                self._define(
                    f"{key}.{name}", {**(shapes.places(declared) if key == "platform" else {}), **properties}
                )
                rules.append(where_named(name, {"$ref": f"#/$defs/{key}.{name}"}))
                if schemes:
                    # The URL is the option: what stands beside it is not looked at.
                    self._define(f"{key}.{name}.url", {**shapes.of_class(declared)["properties"], "url": {}})
                    rules.append(where_named(by_scheme(schemes), {"$ref": f"#/$defs/{key}.{name}.url"}))
                    self._below(key, names(by_scheme(schemes)), f"{key}.{name}.url")
                self._below(key, names(name), f"{key}.{name}")
                self._required(key, name, declared, [key])
                if key == "platform":
                    self._own_traffic(name, declared)
        if key == "state" and f"{key}.file" in self.defs:
            file = at(["state"], where_unnamed({"$ref": "#/$defs/state.file"}))
            self.rules.append(file)
            self._when({"not": being(["state"], NAMED)}, each(file))
        summaries = {name: info.summary for name, (info, _) in classes.items()}
        return _section(key, summaries, rules)

    def _define(self, name: str, properties: Mapping[str, Schema]) -> None:
        self.defs[name] = {
            "type": "object",
            "properties": {"name": {}, **properties},
            "additionalProperties": False,
        }

    def _below(self, key: str, named: Schema, definition: str) -> None:
        """An environment that names nobody describes whom the top of the document names."""
        refer = {"$ref": f"#/$defs/{definition}"}
        self._when(being([key], named), each(at([key], where_unnamed(refer))))

    def _own_traffic(self, name: str, declared: type[Any]) -> None:
        """What `traffic` may say to the platform's own router, in the top or in an environment."""
        self._define(f"platform.{name}.traffic", _properties(traffic_fields(declared)))
        own = {"$ref": f"#/$defs/platform.{name}.traffic"}
        silent, named = where_unnamed(own), where_named(name, own)
        both = {"allOf": [silent, named]}
        chosen = being(["platform"], names(name))
        unnamed = {"not": being(["platform"], NAMED)}
        elsewhere = being(["traffic"], {"allOf": [names_other(name), {"not": names("none")}]})
        self._when(chosen, at(["traffic"], both))
        # Of an environment its own platform counts, or else the one of the top.
        self.rules.append(each({"if": chosen, "then": at(["traffic"], named)}))
        self._when(chosen, each({"if": unnamed, "then": at(["traffic"], named)}))
        # Where it names no router either, the one of the top.
        here = {"if": chosen, "then": at(["traffic"], silent)}
        self._when({"not": elsewhere}, each(here))
        inherited = {"if": unnamed, "then": at(["traffic"], silent)}
        self._when({"allOf": [chosen, {"not": elsewhere}]}, each(inherited))
        # And what the top says of traffic is said to the environment's platform.
        takes = {"allOf": [chosen, {"not": being(["traffic"], NAMED)}]}
        self._when({"not": each({"not": takes})}, at(["traffic"], both))

    def _when(self, condition: Schema, then: Schema) -> None:
        self.rules.append({"if": condition, "then": then})

    def _router(self, name: str, declared: type[Any] | None) -> Schema:
        if declared is None:
            return {}
        self._define(
            f"router.{name}", {**_properties(traffic_fields(declared)), **_properties(fields_of(declared))}
        )
        refer = {"$ref": f"#/$defs/router.{name}"}
        self._below("traffic", names(name), f"router.{name}")
        for needed in required(declared):
            self._required_of_router(name, needed)
        return where_named(name, refer)

    def _inline(self) -> Schema:
        rules: list[Schema] = []
        classes = self._classes(StrategyInfo)
        for name, (_, declared) in classes.items():
            if declared is not None:
                self._define(f"strategy.{name}", shapes.of_class(declared)["properties"])
                rules.append(where_named(name, {"$ref": f"#/$defs/strategy.{name}"}))
                self._below("strategy", names(name), f"strategy.{name}")
        return _section("strategy", {name: info.summary for name, (info, _) in classes.items()}, rules)

    def _listed(self, key: str, kind: type[Info]) -> Schema:
        """One plugin or a list of them, each as a whole: an environment replaces all of them."""
        rules: list[Schema] = []
        classes = self._classes(kind)
        for name, (_, declared) in classes.items():
            if declared is None:
                continue
            self._define(f"{key}.{name}", shapes.of_class(declared, whole=True).get("properties", {}))
            needed = required(declared)
            self.defs[f"{key}.{name}"]["required"] = ["name", *needed]
            rules.append(where_named(name, {"$ref": f"#/$defs/{key}.{name}"}))
            rules += [{"not": {"const": name}}] if needed else []
        summaries = {name: info.summary for name, (info, _) in classes.items()}
        self.defs[f"each.{key}"] = {**_section(key, summaries, rules), "required": ["name"]}
        refer = {"$ref": f"#/$defs/each.{key}"}
        return {
            "description": _TOLD[key],
            "if": {"type": "array"},
            "then": {"items": refer},
            "else": refer,
        }

    def _strategies(self) -> Schema:
        open_: Schema = {"type": ["object", "null"]}
        properties: dict[str, Schema] = {}
        for name, info in self.registry.infos(StrategyInfo).items():
            declared = f"strategy.{name}" in self.defs
            # The same options, without a name.
            shape = shapes.nothing_or(_without_name(self.defs[f"strategy.{name}"])) if declared else open_
            properties[name] = {"description": info.summary, **shape}
        return {
            "type": ["object", "null"],
            "description": "the options of each strategy, by its name",
            "properties": properties,
            "propertyNames": {"minLength": 1},
            "additionalProperties": open_,
        }

    # Environments

    def _environment(self, layer: Mapping[str, Schema]) -> Schema:
        kind = {**shapes.words([str(one) for one in Kind]), "description": "what the environment is for"}
        return {
            "type": ["object", "null"],
            "properties": {"kind": kind, **layer},
            "additionalProperties": False,
        }

    def _required_of_the_top(self, named: Sequence[str]) -> Iterator[Schema]:
        yield {"if": ALONE, "then": {"required": ["application"]}}
        everywhere = each({"type": "object", "required": ["application"]})
        yield {"anyOf": [ALONE, {"required": ["application"]}, everywhere]}
        yield {"if": ALONE, "then": at(["environment"], {"enum": list(KNOWN)})}
        # Nobody knows what an environment is for whose name says nothing.
        strange = f"^(?!(?:{'|'.join(KNOWN)})$)"
        told = {"type": "object", "anyOf": [{"required": ["kind"]}, {"required": ["strategy"]}]}
        yield {
            "if": {"not": {"required": ["strategy"]}},
            "then": {"properties": {"environments": {"patternProperties": {strange: told}}}},
        }
        for key in named:
            yield {
                "if": {"not": {"required": [key]}},
                "then": each(at([key], {"required": ["name"]})),
            }

    def _required(self, key: str, name: str, cls: type[Any], path: Sequence[str]) -> None:
        """What a plugin cannot do without, in the top of the document or in each environment."""
        chosen = being([key], names(name))
        for where, needed in _requirements(cls, path):
            have, there = has([*where, needed]), needs(where, needed, whole=where == [key])
            given = {"anyOf": [have, being([key], names_other(name))]}
            if where != [key]:
                given["anyOf"].append(emptied(where))
            self._when({"allOf": [ALONE, chosen]}, there)
            if EVERY in where:
                continue  # which of two layers has it cannot be asked of a key that nobody knows
            if where != [key]:
                self._when(chosen, _either(where, have, there, given))
                continue
            self._when(chosen, {"anyOf": [have, ALONE, each(said(given))]})
            self._when({"not": chosen}, each({"if": chosen, "then": there}))

    def _required_of_router(self, name: str, needed: str) -> None:
        """The same of a platform that only routes; of one that runs the releases too, `platform` has it."""
        chosen, runs = being(["traffic"], names(name)), being(["platform"], names(name))
        have, there = has(["traffic", needed]), needs(["traffic"], needed, whole=True)
        self._when({"allOf": [ALONE, chosen, {"not": runs}]}, there)
        for above in (True, False):  # whether the top of the document has it run the releases
            base = runs if above else {"not": runs}
            silent = [{"not": being(["platform"], NAMED)}] if above else []
            own = {"anyOf": [runs, *silent]}
            given = {"anyOf": [have, being(["traffic"], names_other(name)), own]}
            ways: Schema = {"anyOf": [ALONE, have, each(given if above else said(given))]}
            self._when({"allOf": [chosen, base]}, ways)
            begun = {"if": {"allOf": [chosen, {"not": own}]}, "then": there}
            self._when({"allOf": [{"not": chosen}, base]}, each(begun))

    def _required_of_settings(self) -> None:
        for where, needed in _requirements(Settings, []):
            have, there = has([*where, needed]), needs(where, needed)
            self._when(ALONE, there)
            if EVERY in where:
                continue
            self.rules.append(_either(where, have, there, {"anyOf": [have, emptied(where)]}))


def _is_mapping(kind: Any) -> bool:
    origin = get_origin(kind)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _either(where: Sequence[str], have: Schema, there: Schema, given: Schema) -> Schema:
    """A key stands in the top, or in every environment, or nothing stands where it would have to."""
    begun = being(where, MAPPING)
    ways = [have, {"allOf": [{"not": begun}, each(there)]}, {"allOf": [begun, each(said(given))]}]
    return {"anyOf": [ALONE, *ways]}


def _requirements(cls: type[Any], path: Sequence[str]) -> Iterator[tuple[list[str], str]]:
    """Every key without a default, with the key path of the mapping in which it has to stand."""
    for key in required(cls):
        yield list(path), key
    for key, (_, kind) in fields_of(cls).items():
        if inner := shapes.class_in(kind):
            yield from _requirements(inner, [*path, key])
        elif inner := shapes.class_in((get_args(kind) or (kind,))[-1]) if _is_mapping(kind) else None:
            yield from _requirements(inner, [*path, key, EVERY])


def _section(key: str, summaries: Mapping[str, str], rules: Sequence[Schema]) -> Schema:
    known = [{"const": name, "description": summary} for name, summary in summaries.items()]
    if key == "traffic":
        known = [{"const": "none", "description": "the application has no traffic"}]
        alone = {"type": "object", "properties": {"name": {}}, "additionalProperties": False}
        rules = [*rules, where_named("none", alone)]
    name = {"anyOf": [*known, shapes.text(least=1)]} if known else shapes.text(least=1)
    long = {"type": "object", "properties": {"name": name}}
    made: Schema = {"description": _TOLD[key], "anyOf": [name, long]}
    return {**made, "allOf": [rule for rule in rules if rule]} if any(rules) else made


def _properties(fields: Mapping[str, tuple[Any, Any]]) -> Mapping[str, Schema]:
    return {key: shapes.field(attribute, kind) for key, (attribute, kind) in fields.items()}


def _without_name(shape: Schema) -> Schema:
    return {**shape, "properties": {k: v for k, v in shape["properties"].items() if k != "name"}}


def _name(*, string: bool = False) -> Schema:
    pattern = f"^{NAME.pattern}$"
    if string:
        return {"pattern": pattern}
    return {"type": ["string", "number", "boolean"], "pattern": pattern, "minimum": 0}
