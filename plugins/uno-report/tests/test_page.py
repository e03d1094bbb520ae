"""The report as a page: what stands on it, and that nothing foreign gets out of its place."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from uno_core import Slot, Status
from uno_report.charts import scale
from uno_report.measured import percentile
from uno_report.page import page

NASTY = "</title><script>alert('x')</script><img src=http://evil.example/>&amp;\x1b[31m\u202e\ud800"


class Read(HTMLParser):
    """The tags of a page with their attributes, its text, and its tables as rows of cells."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.rows, self.inside = [], [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.inside = True

    def handle_endtag(self, tag):
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data):
        self.words.append(data)
        if self.inside:
            self.rows[-1][-1] += data

    @property
    def names(self):
        return [tag for tag, _ in self.tags]

    @property
    def text(self):
        return " ".join(self.words)


def charts(text):
    """The charts by their titles."""
    found = [ET.fromstring(one) for one in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]  # noqa: S314  # our own
    return {chart.findtext("title"): chart for chart in found}


def lines(chart):
    """The lines of a chart: of each its name and the places that it goes through."""
    return [
        (
            line.findtext("title"),
            [tuple(map(float, place.split(","))) for place in line.get("points").split()],
        )
        for line in chart.findall("polyline")
    ]


def test_it_says_how_it_ended_and_why(story):
    read = Read(page(story))
    assert "rolled back" in read.words
    assert story.why in read.words
    for fact in (
        "shop in prod",
        "v2 over v1",
        "canary",
        "ann on runner-3",
        "abc1234",
        "the March release",
        "2m44s",
    ):
        assert fact in read.words


def test_every_step_with_what_came_of_it_and_who_said_what(story):
    rows = Read(page(story)).rows
    for row in (
        ["12:00:00", "4.2s", "green: 2 of v2", ""],
        ["12:00:05", "1s", "check the health of green", "pass, 200 OK"],
        ["12:00:06", "", "step: a first share", ""],
        ["12:00:06", "4s", "traffic: blue 90 %, green 10 %", ""],
        ["12:00:10", "1m", "wait 5m, watched", "FAIL: five times as many errors"],
        ["12:01:10", "1s", "put the traffic back", ""],
        ["12:01:11", "2s", "call drain", "the old instances are gone (404 Not Found)"],
        ["12:01:14", "…", "wait 1m30s", "no answer in the journal"],
        ["12:00:40", "bob", "pause: what is this?", "held"],
        ["12:00:50", "bob", "resume", "not answered"],
    ):
        assert row in rows


def test_the_evidence_with_its_numbers_and_what_counts_for_nothing(story):
    rows = Read(page(story)).rows
    assert any(row[:2] == ["sequential", "fail"] and row[3] == "log_e 5.2, limit 4.61" for row in rows)
    assert any(row[:2] == ["p99", "pass (counts for nothing)"] for row in rows)


def test_the_split_keeps_its_value_until_the_next_is_written(story):
    ((name, places),) = lines(charts(page(story))["Traffic of the new release"])
    heights = [y for _, y in places]
    assert name == "v2"
    # 0 %, up to 10 % at 10 s, back to 0 % at 71 s, which is what it is at the end.
    assert heights[0] == heights[1] > heights[2] == heights[3] < heights[4] == heights[5] == heights[0]
    assert places[1][0] == places[2][0] < places[3][0] == places[4][0] < places[5][0]


def test_a_window_without_requests_leaves_a_gap_and_one_that_does_not_count_no_point(story):
    drawn = lines(charts(page(story))["Failed requests"])
    assert [name for name, _ in drawn] == ["v2", "v2", "before"]
    rising, alone, before = (places for _, places in drawn)
    assert len(rising) == 4
    assert [y for _, y in rising] == sorted((y for _, y in rising), reverse=True)
    assert len(alone) == 2, "a point of its own is drawn as a dash"
    assert len(before) == 6


def test_latency_is_drawn_as_median_and_95th_percentile(story):
    names = [name for name, _ in lines(charts(page(story))["Latency"])]
    assert set(names) == {"v2 median", "v2 p95", "before median", "before p95"}


def test_the_evidence_is_drawn_with_its_limit(story):
    chart = charts(page(story))["Evidence against the new release"]
    ((_, places),) = lines(chart)
    (limit,) = chart.findall("line[@class='limit']")
    assert [y > float(limit.get("y1")) for _, y in places] == [True, True, True, False]
    assert "limit" in [text.text for text in chart.findall("text")]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 100, [0, 25, 50, 75, 100]),
        (0, 12.9, [0, 5, 10, 15]),
        (-1.1e-16, 5.5, [0, 2, 4, 6]),
        (-0.7, 4.61, [-2, 0, 2, 4, 6]),
        (0, 1e-9, [0, 2.5e-10, 5e-10, 7.5e-10, 1e-9]),
    ],
)
def test_scales_are_of_round_numbers(low, high, ticks):
    assert scale(low, high) == pytest.approx(ticks)


@given(st.floats(-1e6, 0), st.floats(1e-9, 1e6))
def test_a_scale_holds_what_it_is_for(low, high):
    ticks = scale(low, high)
    slack = 1e-5 * (high - low)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack
    assert 3 <= len(ticks) <= 7


def test_the_steps_and_the_way_back_are_marked_on_every_chart(story):
    for chart in charts(page(story)).values():
        (back,) = chart.findall("line[@class='back']")
        assert back.findtext("title") == "the way back"
        assert len(chart.findall("line[@class='mark']")) == 2


def test_nothing_is_fetched_and_nothing_runs(story, renamed):
    for one in (story, renamed(NASTY)):
        read = Read(page(one))
        assert not {"script", "link", "img", "iframe", "object", "embed", "form", "base"} & set(read.names)
        for _, attributes in read.tags:
            assert not {
                name for name in attributes if name.startswith("on") or name in ("src", "href", "style")
            }
        styles = re.search(r"<style>(.*?)</style>", page(one), re.DOTALL)[1]
        assert "url(" not in styles
        assert "@import" not in styles


def test_words_of_others_are_words_and_can_be_written_to_a_file(renamed):
    text = page(renamed(NASTY))
    text.encode("utf-8")
    assert "<script" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text, "it would turn what follows around"
    assert "</title><script>alert('x')</script>" in Read(text).text


@given(st.text(alphabet=st.characters(), min_size=1))
def test_no_text_whatever_changes_the_page(story_once, text):
    assert Read(page(story_once(text))).names == Read(page(story_once("v2"))).names


@pytest.mark.parametrize("status", Status)
def test_every_status_has_a_look(story, status):
    read = Read(page(evolve(story, record=evolve(story.record, status=status))))
    (look,) = [a["class"].split()[1] for tag, a in read.tags if (a.get("class") or "").startswith("status ")]
    assert look == {
        Status.SUCCESSFUL: "good",
        Status.ROLLED_BACK: "back",
        Status.STOPPED: "back",
    }.get(status, "bad" if status.final else "going")


def test_a_deployment_that_did_nothing_is_a_page_too(story):
    empty = evolve(
        story,
        record=evolve(story.record, params={}, updated=story.record.created),
        stable=None,
        calls=(),
        signals=(),
        seen={},
        progress=(),
        evidence=None,
    )
    read = Read(page(empty))
    assert "svg" not in read.names
    assert "table" not in read.names
    assert "v2" in read.words


def test_a_first_deployment_has_no_line_of_what_was_before(story):
    first = evolve(
        story,
        stable=None,
        seen={
            key: [evolve(s, window=evolve(s.window, stable=None)) for s in rows if not s.window.baseline]
            for key, rows in story.seen.items()
        },
    )
    assert {name for name, _ in lines(charts(page(first))["Failed requests"])} == {"v2"}
    assert story.stable is Slot.BLUE


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ({0.1: 50, 0.2: 50, float("inf"): 0}, 0.5, 0.1),
        ({0.1: 50, 0.2: 50, float("inf"): 0}, 0.75, 0.15),
        ({0.1: 0, 0.2: 100}, 0.5, 0.15),
        ({0.1: 10, 0.2: 0, 0.3: 10}, 0.95, 0.29),
    ],
)
def test_percentiles_are_interpolated_within_their_bucket(counts, share, expected):
    assert percentile(counts, share) == pytest.approx(expected)


@pytest.mark.parametrize("counts", [{}, {0.1: 0.0}, {0.1: 1, float("inf"): 99}])
def test_there_is_no_percentile_of_nothing_nor_beyond_the_last_edge(counts):
    assert percentile(counts, 0.95) != percentile(counts, 0.95), "NaN"
