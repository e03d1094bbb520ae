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
import pytest
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
    r"|expected the name of an object|expected a header and its value"
    r"|companions\.\w+ lacks"
    # ARNs, accounts and buckets of AWS, and what is wanted for both slots.
    r"|expected (its twelve digits|arn:aws:|the ARN of a listener|s3://bucket|its name beside them)"
    r"|expected one of (its own for blue|them\b)|expected some for each slot"
    # Names and addresses of DNS, and what belongs together of them.
    r"|expected (one kind|one (host name )?for each slot|whole seconds|a name (in the zone|of up to)|blue or)"
    r"|expected (ADDRESS or|an address, or the name|dns://NAME|http://)|two places need a router"
    # A metric provider's own check of its url, queries, selectors and credentials together, or of one metric.
    r"|^metrics(\.metrics\.[^\n]+)? is not what it has to be\n.*\n  found: a mapping with"
    # A name so near to that of an installed plugin that it counts as misspelt.
    r"|there is no (?!key)[\s\S]*did you mean"
    # An `environment` that is not among the `environments`; a schema knows it only where there are none.
    r"|nobody knows what the environment"
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


WHOLE = "application: shop\nplatform: {name: local, command: [x]}\n"


@pytest.mark.parametrize(
    "text",
    [
        'release: {version: 1.10, image: "x"}',
        "require_digest: no",
        "require_digest: 'Yes'",
        "lock_timeout: 1h30m",
        "lock_timeout: 0",
        "strategies: {rolling: {batch_size: 25%}, canary: {increments: [5%, 20, 100]}}",
        "strategies: {canary: {metrics_threshold: {error_rate: 1%, latency_p95: {max: 300ms}, cpu: 150%}}}",
        "state: postgresql://uno@db/uno",
        "traffic: none",
        "notify: []",
        "environments: {prod: {platform: {instances: 2}}, eu-1: {kind: testing, traffic: {listen: ':80'}}}",
        "environments: {prod: {platform: {name: kubernetes, context: x}}}",
    ],
)
def test_both_take(text):
    # `:80` is no host and port to the class itself, which the schema does not know.
    assert not [one for one in mistakes(WHOLE + text) if not UNSAID.search(one)]
    assert not complaints(WHOLE + text)


@pytest.mark.parametrize(
    "text",
    [
        "helth: http",
        "health: {name: http, staus: 200}",
        "health: {name: http, status: 700}",
        'require_digest: "true"',
        "lock_timeout: 5 minutes",
        "look_every: 0s",
        "strategies: {rolling: {batch_size: 0%}}",
        "strategies: {canary: {metrics_threshold: {error_rate: 1}}}",
        "strategies: {canary: {initial_percentage: 100.5%}}",
        "state: {name: postgresql, schema: x}",
        "state: {directory: [x]}",
        "traffic: {lisen: x}",
        "traffic: {name: none, listen: x}",
        "notify: {url: x}",
        "hooks: {before_deploy: {timeout: 5m}}",
        "on_interrupt: hld",
        "environments: {eu-1: {}}",
        "environments: {prod: {platform: {instnces: 2}}}",
        "environments: {prod: {kind: productive}}",
        "environments: {prod: {platform: {name: local}, traffic: {lisen: 1}}}",
        "environment: eu-1",
        "plugins: {strategi.canary: x}",
    ],
)
def test_both_refuse(text):
    assert mistakes(WHOLE + text)
    assert complaints(WHOLE + text)


def test_what_is_required_may_stand_in_each_environment_instead():
    text = "application: shop\nplatform: local\nenvironments: {prod: {platform: {command: [x]}}, staging: %s}"
    for staging, right in (
        ("{platform: {command: [y]}}", True),
        ("{platform: kubernetes}", True),
        ("{}", False),
    ):
        assert bool(mistakes(text % staging)) is not right
        assert bool(complaints(text % staging)) is not right
