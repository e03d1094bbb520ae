from __future__ import annotations

from pathlib import Path

import pytest

from uno_core import ConfigError
from uno_core.config import nodes
from uno_core.config.nodes import Items, Scalar, Table
from uno_core.config.structure import plain


def parse(text: str):
    return nodes.parse(text, "uno.yaml")


@pytest.mark.parametrize("text", ["1.10", "no", "on", "0x1F", "1:30", "2024-01-01", "010", "1_000", "=", "."])
def test_texts_stay_as_written(text):
    assert parse(f"version: {text}").entries["version"].text == text


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.10", "1.10"), ("1.1", 1.1), ("25", 25), ("no", "no"), ("true", True), ("~", None), ("'25'", "25"),
     ("010", "010"), ("1e3", "1e3"), ("[1, a]", [1, "a"]), ("{a: 1}", {"a": 1}), ("!!str 5", "5"),
     (".nan", ".nan"), ("1:30", "1:30"), ("-3", -3)],
)  # fmt: skip
def test_without_a_declaration_only_what_loses_nothing_is_a_number(text, value):
    assert plain(parse(f"x: {text}").entries["x"]) == value


def test_every_node_knows_its_line():
    root = parse("a: 1\nb:\n  c: [x,\n      y]\n")
    assert root.entries["a"].where == "uno.yaml:1"
    table = root.entries["b"]
    assert table.line("c") == "uno.yaml:3"
    assert [node.where for node in table.entries["c"].nodes] == ["uno.yaml:3", "uno.yaml:4"]


def test_duplicate_keys_are_refused_with_both_lines():
    with pytest.raises(ConfigError) as caught:
        parse("a: 1\nb: 2\na: 3\n")
    assert caught.value.where == "uno.yaml:3"
    assert caught.value.found == "first at uno.yaml:1"


def test_anchors_and_merge_keys():
    root = parse("base: &b {x: 1, y: 2}\nother: &o {y: 3, z: 4}\nall: {<<: [*b, *o], x: 9}\nsame: *b")
    assert plain(root.entries["all"]) == {"x": 9, "y": 2, "z": 4}
    assert plain(root.entries["same"]) == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not YAML"),
        ("a: b: c", "not YAML"),
        ("\tx: 1", "not YAML"),
        ("a: 1\n---\nb: 2", "not YAML"),
        ("a: *nobody", "not YAML"),
        ("a: \x00", "not YAML"),
        ("a: &a [*a]", "within what it refers to"),
        ("a: !!python/object/apply:os.system [ls]", "tags are not supported"),
        ("a: !ours 5", "tags are not supported"),
        ("? [a]\n: 1", "a key has to be a text"),
        ("<<: 5", "merges mappings only"),
        ("[" * 5000, "nested too deeply"),
        ("{" * 5000, "nested too deeply"),
        ("{a: " * 90 + "1" + "}" * 90, "nested too deeply"),
    ],
)
def test_what_cannot_be_read_says_where(text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        parse(text)
    assert caught.value.where.startswith("uno.yaml")
    assert caught.value.remedy


def test_aliases_of_aliases_end():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ConfigError, match="too much for a configuration"):
        parse("\n".join(lines))


def test_an_empty_file_is_an_empty_mapping():
    assert parse("# nothing yet\n").entries == {}


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be read") as caught:
        nodes.read(tmp_path / "uno.yaml")
    assert "application: NAME" in caught.value.remedy


def test_a_file_that_is_no_text(tmp_path: Path):
    (tmp_path / "uno.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        nodes.read(tmp_path / "uno.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5), ("[25, 50]", [25, 50]), ("{a: 1}", {"a": 1}), ("'5'", "5"), ("{version}", "{version}"),
     ("{slot}-{version}", "{slot}-{version}"), ("[::1]:80", "[::1]:80"), ("a #b", "a #b"), ("a: b", "a: b"),
     ("http://{host}:{port}/x", "http://{host}:{port}/x"), ("*", "*"), ("", None)],
)  # fmt: skip
def test_the_value_of_an_option(text, value):
    assert plain(nodes.from_option(text, "--option x")) == value


def test_laying_over_keeps_the_line_of_what_counts():
    below = parse("a: {x: 1, y: 2}\nb: [1]\n")
    above = nodes.parse("a: {y: 3}\nb: [2]\n", "over.yaml")
    made = nodes.merged(below, above)
    assert plain(made) == {"a": {"x": 1, "y": 3}, "b": [2]}
    assert isinstance(made, Table)
    assert isinstance(made.entries["b"], Items)
    assert made.entries["b"].where == "over.yaml:2"
    inner = made.entries["a"]
    assert isinstance(inner, Table)
    assert (inner.line("x"), inner.line("y")) == ("uno.yaml:1", "over.yaml:1")


def test_python_values_become_nodes():
    value = {"a": [1, 2.5, True, None, "no", "5"], "b": {"c": "x"}}
    assert plain(nodes.from_value(value)) == value
    assert nodes.from_value("5") == Scalar(text="5", plain=False)
