"""Whatever is written, either a configuration comes out or a ConfigError."""

from __future__ import annotations

from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from uno_core import ConfigError
from uno_core.config import nodes
from uno_core.config.document import LATER, Config
from uno_core.config.load import ROOT, load_node
from uno_core.config.wanted import Overrides

KEYS = st.sampled_from([*ROOT, *LATER, "name", "kind", "prod", "staging", "canary", "file", "<<"]) | st.text(
    max_size=8
)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
    | st.sampled_from(["none", "prod", "canary", "${TOKEN}", "1%", "5m", "production", "local", "1.10"])
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


def outcome(text: str, overrides: Overrides | None = None) -> None:
    try:
        config = load_node(nodes.parse(text, "uno.yaml"), file=Path("uno.yaml"), overrides=overrides)
    except ConfigError as error:
        assert error.message  # noqa: PT017 - both ends are right; that there is no third is what is shown
        return
    assert isinstance(config, Config)
    for name in ("canary", "rolling"):
        config.strategy_options(name)
        config.where(f"strategies.{name}")


@given(st.dictionaries(KEYS, VALUES, max_size=8))
@settings(max_examples=300, deadline=None)
def test_any_document(document):
    outcome(yaml.safe_dump({"application": "a", **document}, allow_unicode=True))


@given(st.text())
@settings(max_examples=300, deadline=None)
def test_any_text(text):
    outcome(text)


@given(st.text(alphabet="a:{}[],-&*!|>'\"#%@`\n \t?<01.~$", max_size=60))
@settings(max_examples=500, deadline=None)
def test_any_text_of_yamls_own_characters(text):
    outcome(text)


@given(
    st.lists(
        st.text(max_size=30) | st.builds("{}.{}={}".format, KEYS, KEYS, st.text(max_size=10)), max_size=3
    )
)
@settings(max_examples=200, deadline=None)
def test_any_options(options):
    text = "application: a\nplatform: local\nstrategies: {canary: {x: 1}}"
    outcome(text, Overrides(options=options))
