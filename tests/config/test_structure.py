from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import attrs
import pytest
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from uno_core import Amount, Bounds, ConfigError, Json, Secret
from uno_core.config import nodes
from uno_core.config.mistakes import ConfigErrors
from uno_core.config.options import option
from uno_core.config.structure import fields_of, structure

if TYPE_CHECKING:
    from datetime import datetime


class Colour(StrEnum):
    BLUE = "blue"
    GREEN = "green"


@frozen
class Inner:
    name: str = option(default="", help="the name")
    port: int = option(help="the port", ge=1, le=65535)


@frozen
class Everything:
    text: str = option(default="", help="")
    flag: bool = option(default=False, help="")
    count: int = option(default=1, ge=1, help="")
    ratio: float = option(default=0.0, help="")
    timeout: float = option(default=60.0, unit="s", gt=0, help="")
    seconds: int = option(default=1, unit="s", help="")
    percent: float = option(default=10.0, unit="%", gt=0, le=100, help="")
    share: float = option(default=0.1, unit="share", help="")
    steps: tuple[float, ...] = option(default=(25.0,), unit="%", gt=0, le=100, help="")
    batch: Amount = option(default=Amount(1), help="")
    thresholds: Mapping[str, Bounds] = option(factory=dict, help="")
    command: tuple[str, ...] = option(default=(), help="")
    words: Sequence[str] = option(default=(), help="")
    names: list[str] = option(factory=list, help="")
    pair: tuple[str, int] = option(default=("a", 1), help="")
    labels: Mapping[str, str] = option(factory=dict, help="")
    env: Mapping[str, str | Secret] = option(factory=dict, help="")
    colours: Mapping[Colour, str] = option(factory=dict, help="")
    colour: Colour = option(default=Colour.BLUE, help="")
    mode: str = option(default="fast", choices=("fast", "slow"), help="")
    form: Literal["json", "text"] = option(default="json", help="")
    token: Secret | None = option(default=None, help="")
    maybe: int | None = option(default=None, help="")
    where: Path | None = option(default=None, help="")
    inner: Inner | None = option(default=None, help="")
    inners: tuple[Inner, ...] = option(default=(), help="")
    free: Json = option(default=None, help="")
    anything: Any = option(default=None, help="")


def read(text: str, cls: type[Any] = Everything) -> Any:
    return structure(nodes.parse(text, "uno.yaml", folder=Path("/etc/uno")), cls, "section")


@frozen
class Named:
    name: str = option(help="")
    size: int = option(default=1, help="")


@frozen
class Outer:
    named: Named = option(help="")


GOOD = {
    "text: 1.10": "1.10",
    "text: no": "no",
    "text: ''": "",
    "flag: yes": True,
    "flag: off": False,
    "count: 3": 3,
    "ratio: 2": 2.0,
    "ratio: 1e3": 1000.0,
    "timeout: 5m": 300.0,
    "timeout: 90": 90.0,
    "timeout: '90'": 90.0,
    "seconds: 2m": 120,
    "percent: 25%": 25.0,
    "percent: 0.1": 0.1,
    "share: 1%": 0.01,
    "steps: [10, 50%, 100]": (10.0, 50.0, 100.0),
    "batch: 25%": Amount(25, percent=True),
    "thresholds: {error_rate: 1%}": {"error_rate": Bounds(max=0.01)},
    "thresholds: {latency_p95: 300ms}": {"latency_p95": Bounds(max=0.3)},
    "thresholds: {cpu: {min: 0.1, max: 80%}}": {"cpu": Bounds(max=0.8, min=0.1)},
    "thresholds: {queue: 100}": {"queue": Bounds(max=100.0)},
    'command: [./shop, --port, "{port}", 8080, no]': ("./shop", "--port", "{port}", "8080", "no"),
    "words: [a]": ("a",),
    "names: [a]": ["a"],
    "pair: [a, 2]": ("a", 2),
    "labels: {a: 1, on: no}": {"a": "1", "on": "no"},
    "labels:": {},
    "env: {A: x, B: '${B}'}": {"A": "x", "B": Secret("${B}")},
    "colours: {green: x}": {Colour.GREEN: "x"},
    "colour: green": Colour.GREEN,
    "mode: slow": "slow",
    "form: text": "text",
    "token: ${TOKEN}": Secret("${TOKEN}"),
    "token: {file: token.txt}": Secret("file:/etc/uno/token.txt"),
    "maybe: null": None,
    "maybe: 5": 5,
    "where: logs": Path("/etc/uno/logs"),
    "where: /srv": Path("/srv"),
    "inner: {port: 80}": Inner(port=80),
    "inners: [{name: a, port: 80}]": (Inner(name="a", port=80),),
    "free: {a: [1, no]}": {"a": [1, "no"]},
    "anything: [x]": ["x"],
}


@pytest.mark.parametrize(("text", "value"), GOOD.items(), ids=list(GOOD))
def test_what_is_declared_is_read(text, value):
    made = getattr(read(text), text.partition(":")[0])
    assert made == value
    assert type(made) is type(value)


BAD = {
    "text:": ("nothing", 'a text; "" is an empty one'),
    "text: [a]": ("a list of 1", "a text"),
    "flag: 1": ("1", "true or false"),
    "flag: 'true'": ('the text "true"', "without quotes"),
    "count: 1.5": ("1.5", "a whole number"),
    "count: true": ("true", "a whole number"),
    "count: 010": ("010", "a whole number"),
    "count: '3'": ('the text "3"', "3 without quotes"),
    "count: 0": ("0", "at least 1"),
    "ratio: .nan": (".nan", "a number"),
    "ratio: {a: 1}": ("a mapping with a", "a number"),
    "timeout: 0": ("0", "greater than 0"),
    "timeout: soon": ("soon", "a duration: seconds, or 500ms, 30s, 5m, 1h30m"),
    "seconds: 500ms": ("500ms", "a whole number of them"),
    "percent: 120": ("120", "greater than 0, at most 100"),
    "share: 1": ("1", "a share, and 1 is ambiguous"),
    "steps: 50": ("50", "a list"),
    "steps: [50, 500]": ("500", "at most 100"),
    "batch: none": ("none", "a number of instances"),
    "thresholds: {error_rate: 1}": ("1", "write 1% for 1 in a hundred, or a number below 1 such as 0.01"),
    "thresholds: {error_rate: {min: 2%, max: 1%}}": (
        "a mapping with min, max",
        "a min that is at most the max",
    ),
    "thresholds: {error_rate: {}}": ("a mapping with nothing in it", "min, max or both"),
    "thresholds: {latency: fast}": ("fast", "a duration"),
    "thresholds: [1]": ("a list of 1", "a mapping"),
    "command: ./shop --port 80": ("./shop --port 80", "a list"),
    "pair: [a]": ("a list of 1", "a list of 2"),
    "labels: x": ("x", "a mapping"),
    "colours: {red: x}": ("red", "one of blue, green"),
    "colour: gren": ("gren", "one of blue, green; did you mean green?"),
    "mode: slo": ("slo", "one of fast, slow"),
    "form: xml": ("xml", "one of json, text"),
    "maybe: x": ("x", "a whole number"),
    "inner: {port: 0}": ("0", "at least 1, at most 65535"),
    "inner: 5.5": ("", "port: the port"),
    "inner: [1]": ("a list of 1", "a mapping of name, port"),
    "env: {A: [1]}": ("a list of 1", "${ENV_VAR} or {file: path} or a text"),
}


@pytest.mark.parametrize(("text", "told"), BAD.items(), ids=list(BAD))
def test_what_is_not_as_declared_says_what_was_found_and_expected(text, told):
    with pytest.raises(ConfigError) as caught:
        read(text)
    error = caught.value
    assert not isinstance(error, ConfigErrors)
    assert error.found == told[0]
    assert told[1] in error.expected
    assert error.where.startswith("uno.yaml:1, section." + text.partition(":")[0])


def test_a_command_as_one_text_is_shown_as_a_list():
    with pytest.raises(ConfigError) as caught:
        read('command: ./shop --port "{port}"')
    assert caught.value.remedy == "write command: [./shop, --port, '{port}']"
    with pytest.raises(ConfigError) as caught:
        read("steps: 50")
    assert caught.value.remedy == "write steps: [50]"


def test_a_misspelt_key_tells_the_nearest():
    with pytest.raises(ConfigError, match="section knows no key timout") as caught:
        read("count: 1\ntimout: 5")
    assert caught.value.where == "uno.yaml:2, section.timout"
    assert caught.value.remedy == "did you mean timeout?"
    with pytest.raises(ConfigError, match="did you mean thresholds"):
        read("Thresholds: {}")


def test_a_key_with_dashes_is_near_the_one_with_underscores():
    @frozen
    class Options:
        health_check_url: str = option(default="", help="")

    with pytest.raises(ConfigError, match="did you mean health_check_url"):
        read("health-check-url: x", Options)


def test_what_is_required_is_asked_for_with_its_help():
    with pytest.raises(ConfigError, match=r"section.inner lacks port") as caught:
        read("count: 1\ninner: {name: x}")
    assert caught.value.expected == "port: the port"
    assert caught.value.where == "uno.yaml:2, section.inner"


def test_a_name_alone_is_short_for_the_mapping():
    assert read("named: x", Outer).named == Named(name="x")


def test_all_mistakes_are_told_at_once():
    with pytest.raises(ConfigErrors) as caught:
        read("count: x\ntimeout: y\nnobody: 1\ninner: {port: z}")
    assert [error.where.split(",")[0] for error in caught.value.errors] == [
        f"uno.yaml:{n}" for n in range(1, 5)
    ]
    assert "4 mistakes" in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_secret_never_stands_in_the_file_nor_in_the_message():
    for text in ("token: hunter2", "token: Bearer ${TOKEN}", "token: {fill: hunter2}"):
        with pytest.raises(ConfigError, match="does not stand in the file") as caught:
            read(text)
        assert "hunter2" not in str(caught.value)


def test_a_check_over_several_fields_is_a_mistake_of_the_section():
    @frozen
    class Both:
        least: int = option(default=0, help="")
        most: int = option(default=0, help="")

        def __attrs_post_init__(self) -> None:
            if self.least > self.most:
                raise ValueError("least that is at most most")

    with pytest.raises(ConfigError, match="least that is at most most"):
        read("least: 5\nmost: 1", Both)


def test_bare_attrs_fields_are_options_too():
    @frozen
    class Bare:
        size: int = 1
        _hidden: str = ""
        made: int = attrs.field(init=False, default=3)

    made = read("size: 5\nhidden: x", Bare)
    assert (made.size, made._hidden, made.made) == (5, "x", 3)
    with pytest.raises(ConfigError, match="knows no key made"):
        read("made: 1", Bare)


def test_types_that_cannot_be_resolved_are_the_plugins_mistake():
    @frozen
    class Odd:
        at: datetime = option(help="")

    with pytest.raises(ConfigError, match="the options Odd cannot be read"):
        read("at: 1", Odd)


def test_a_type_that_no_text_can_be_is_the_plugins_mistake():
    @frozen
    class Odd:
        at: complex = option(default=None, help="")

    with pytest.raises(ConfigError, match=r"complex.* cannot be read from a file"):
        read("at: 1", Odd)


def test_values_given_in_code_are_held_to_the_same_limits():
    with pytest.raises(ValueError, match=r"percent = 120: expected greater than 0, at most 100"):
        Everything(percent=120)
    with pytest.raises(ValueError, match="one of fast, slow"):
        Everything(mode="medium")
    with pytest.raises(ValueError, match="greater than 0"):
        Everything(timeout=float("nan"))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
@settings(max_examples=200, deadline=None)
def test_any_value_for_any_declared_option_is_taken_or_refused(value):
    for key in fields_of(Everything):
        with contextlib.suppress(ConfigError):
            structure(nodes.from_value({key: value}, "x"), Everything, "x")


@frozen
class Mixed:
    flag: bool = option(default=False, help="")
    either: bool | str = option(default="", help="")
    colours: frozenset[str] = option(factory=frozenset, choices=("blue", "green"), help="")


@pytest.mark.parametrize(("text", "made"), [("no", False), ('"no"', False), ("'On'", True), ("yes", True)])
def test_words_of_truth_may_stand_in_quotes_where_nothing_else_is_wanted(text, made):
    assert structure(nodes.parse(f"flag: {text}", "f"), Mixed).flag is made


@pytest.mark.parametrize(
    ("text", "made"), [("no", False), ('"no"', "no"), ("maybe", "maybe"), ("true", True)]
)
def test_in_quotes_they_are_texts_where_texts_are_wanted_too(text, made):
    assert structure(nodes.parse(f"either: {text}", "f"), Mixed).either == made


def test_each_of_a_set_is_one_of_the_choices():
    made = structure(nodes.parse("colours: [blue, green]", "f"), Mixed)
    assert made.colours == {"blue", "green"}
    with pytest.raises(ConfigError, match="one of blue, green"):
        structure(nodes.parse("colours: [red]", "f"), Mixed)


def test_of_a_layer_nothing_is_missing_and_what_stands_there_has_to_be_right():
    layer = nodes.parse("name: x", "f")
    with pytest.raises(ConfigError, match="port"):
        structure(layer, Inner)
    structure(layer, Inner, partial=True)
    with pytest.raises(ConfigError, match="a whole number"):
        structure(nodes.parse("port: x", "f"), Inner, partial=True)
