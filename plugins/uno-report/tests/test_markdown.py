"""The report for a merge request: tables that stay tables whatever stands in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uno_report.markdown import markdown


def table(text, title):
    """The rows of a table, its head and the line below it left out."""
    lines = text.partition(f"### {title}\n\n")[2].partition("\n\n")[0].splitlines()
    return [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in lines[2:]]


def test_it_says_how_it_ended_and_why(story):
    text = markdown(story)
    assert text.startswith("## ↩️ shop-prod-7: v2 rolled back\n\nrolled back: sequential")
    assert "\n- release: v2 over v1\n" in text
    assert "\n- by: ann on runner-3\n" in text


def test_its_tables_are_those_of_the_page(story):
    text = markdown(story)
    assert [row[:2] for row in table(text, "Evidence")] == [
        ["sequential", "fail"],
        ["p99", "pass (counts for nothing)"],
    ]
    assert ["12:00:06", "4s", "traffic: blue 90 %, green 10 %", ""] in table(text, "Steps")
    assert ["12:00:40", "bob", "pause: what is this?", "held"] in table(text, "Who said what")


@pytest.mark.parametrize(
    "text",
    [
        "a | b",
        "@everyone",
        "#12",
        "<img src=x>",
        "[here](http://evil.example)",
        "https://evil.example",
        "**bold** _it_ `code` ~~gone~~",
        "&lt;",
        "$x$",
        "one\n\n## two",
    ],
)
def test_words_of_others_mean_nothing_but_themselves(renamed, text):
    row = next(row for row in table(markdown(renamed(text)), "Who said what"))
    assert len(row) == 4
    for sign in "|@#<>[]*_`~$":
        assert sign not in row[1].replace("&#", ""), "written as an entity"
    assert "://" not in row[1]


@given(st.text(alphabet=st.characters(), min_size=1))
def test_no_text_whatever_breaks_a_table_or_a_line(story_once, text):
    told = markdown(story_once(text))
    assert told.count("\n") == markdown(story_once("v2")).count("\n")
    assert all(len(row) == 4 for row in table(told, "Steps"))
    told.encode("utf-8")
