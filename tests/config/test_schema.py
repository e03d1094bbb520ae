"""An editor that knows the schema, and `uno validate`, accept and refuse the same documents.

What a schema cannot say stands in `UNSAID`, and on the page for users; documents that fail for one of
these reasons alone are accepted by the schema, and nothing else is.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import documents
import jsonschema
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from uno_core.config import nodes
from uno_core.config.checking import KINDS, check, check_layers, environments
from uno_core.config.document import KINDS as KNOWN
from uno_core.config.mistakes import Mistakes
from uno_core.config.schema import DIALECT, schema
from uno_core.config.wanted import Overrides
from uno_core.contracts.notifier import NotifierInfo
from uno_core.contracts.strategy import StrategyInfo
from uno_core.registry import Registry

EXAMPLES = int(os.environ.get("UNO_EXAMPLES", "400"))
FILE = Path("uno.yaml")
REGISTRY = Registry.discover()
SCHEMA = schema(REGISTRY)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
SECTIONS = documents.sections(REGISTRY, {**KINDS, "strategy": StrategyInfo, "notify": NotifierInfo})


def mistakes(text: str) -> list[str]:
    """What `uno validate` says of a document, in all of its environments."""
    found = Mistakes()
    root = nodes.parse(text, "uno.yaml")
    names = environments(root)
    for name in names or [""]:
        check(root, REGISTRY, file=FILE, overrides=Overrides(environment=name), mistakes=found)
    check_layers(root, REGISTRY, names, file=FILE, mistakes=found)
    return [f"{error}" for error in found.errors]


def complaints(text: str) -> list[str]:
    """What an editor says of it."""
    return [f"{list(e.path)}: {e.message[:200]}" for e in VALIDATOR.iter_errors(documents.as_an_editor(text))]


# A class's own check over several of its fields, or over what a text says; by what it expected.
UNSAID = re.compile(
    r"expected (host:port|step beside it|one of them, not both|shares that grow|at least initial_percentage)"
    r"|gates = |a command: run|a min that is at most the max"
    r"|expected: a path; nobody here"
    r"|companions\.\w+ lacks"
    # A name so near to that of an installed plugin that it counts as misspelt.
    r"|there is no (?!key)[\s\S]*did you mean"
)


def agree(text: str) -> None:
    says = mistakes(text)
    hers = complaints(text)
    if says and all(UNSAID.search(one) for one in says):
        event("a class's own check")
        return
    event("refused" if says else "accepted")
    assert bool(says) == bool(hers), f"{text}\nuno: {says}\nschema: {hers}"


@st.composite
def layers(draw: st.DrawFn) -> dict[str, Any]:
    keys = draw(st.lists(st.sampled_from(list(SECTIONS)), unique=True, max_size=4))
    made = {key: draw(SECTIONS[key]) for key in keys}
    if "strategies" in made:
        made["strategies"] = {
            name: draw(documents.options(REGISTRY.options(info)))
            for name, info in REGISTRY.infos(StrategyInfo).items()
            if draw(st.booleans())
        }
    return made


@st.composite
def whole(draw: st.DrawFn) -> dict[str, Any]:
    """A document, most of the time one that uno accepts, or would but for a mistake."""
    made = {"application": "shop", **draw(layers())}
    if draw(st.booleans()):
        kinds = st.fixed_dictionaries({}, optional={"kind": st.sampled_from(["production", "staging", "x"])})
        named = st.sampled_from(["prod", "staging", "eu-1", "-bad"])
        over = st.builds(lambda kind, layer: {**kind, **layer}, kinds, layers()) | st.none()
        made["environments"] = draw(st.dictionaries(named, over, max_size=2))
        if draw(st.booleans()) and made["environments"]:
            made["environment"] = draw(st.sampled_from(list(made["environments"])))
    elif draw(st.booleans()):
        made["environment"] = draw(st.sampled_from(list(KNOWN)))
    if draw(st.booleans()):
        made["uno"] = draw(st.sampled_from([1, "1", 2, documents.Plain("1.0"), True]))
    return made


@given(whole())
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_schema_and_uno_agree_on_what_is_written(document):
    agree(documents.write(document))


@given(st.data())
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_they_agree_on_what_is_written_wrong(data):
    document = data.draw(whole())
    for _ in range(data.draw(st.integers(1, 2))):
        document = data.draw(documents.mutated(document))
    agree(documents.write(document))


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == DIALECT
