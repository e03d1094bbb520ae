"""The report for a merge request: tables that stay tables whatever stands in them."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uno_report.markdown import APART, markdown


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
        assert sign not in row[1].replace(APART, "").replace("&#", ""), "written as an entity"


LINKS = re.compile(
    r"""(?<![0-9a-z])(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{7,40}(?![0-9a-z])
    | [@#][a-z0-9] | \bgh-[0-9] | [!$%&~][\w"] | :// | www\.\w""",
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)


def parts(cell):
    """What a renderer looks for links in: texts by themselves between what shows nothing, entities read."""
    return [html.unescape(part) for part in cell.split(APART)]


@pytest.mark.parametrize(
    "text",
    [
        "see www.evil.example/x",
        "(WWW.evil.example)",
        "https://evil.example",
        "3f786850e387550fdab836ed7e6dc881de23001b",
        "3f78685",
        "A3F786850E:x",
        "org/repo@3f78685",
        "GH-12, gh-3",
        "org/repo#12",
        "ann@evil.example",
        "@everyone",
        'group/project!12 %3 %"v1" &4 ~bug $5',
    ],
)
def test_words_of_others_become_no_link_and_no_mention(renamed, text):
    cell = next(row for row in table(markdown(renamed(text)), "Who said what"))[1]
    assert LINKS.search(text)
    assert not [part for part in parts(cell) if LINKS.search(part)]
    assert "".join(parts(cell)) == text, "it reads as it was written"


@given(st.text(alphabet="@#!GHgh-12abcdef0wW./:_ é", min_size=1))
def test_no_text_whatever_becomes_a_link(story_once, text):
    cell = next(row for row in table(markdown(story_once(f"x{text}x")), "Who said what"))[1]
    assert not [part for part in parts(cell) if LINKS.search(part)]
    assert "".join(parts(cell)) == " ".join(f"x{text}x".split())


@pytest.mark.parametrize(
    "text", ["1.4.2", "v1.2.0-rc.1+build.7", "shop-prod-7", "90 %, 7.75% failed!", "20260301"]
)
def test_versions_ids_and_numbers_stay_as_they_are(renamed, text):
    assert next(row for row in table(markdown(renamed(text)), "Who said what"))[1] == text


@given(st.text(alphabet=st.characters(), min_size=1))
def test_no_text_whatever_breaks_a_table_or_a_line(story_once, text):
    told = markdown(story_once(text))
    assert told.count("\n") == markdown(story_once("v2")).count("\n")
    assert all(len(row) == 4 for row in table(told, "Steps"))
    told.encode("utf-8")
