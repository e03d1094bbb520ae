"""What becomes of counters and histograms, good and bad, without a real Prometheus."""

import math

import pytest
from answers import AT, SPAN, TARGET, by_query, matrix, of, told, well
from attrs import evolve

from uno_core import Figures, NoData

pytest_plugins = ["uno_core.testing.fixtures"]


def test_counts_and_latencies_are_told(source, asking, blue):
    figures = asking(source(well).url).window(blue, *SPAN)
    assert (figures.requests, figures.errors) == (600, 60)
    assert figures.latency == {0.1: 300, 0.5: 240, math.inf: 60}


def test_milliseconds_are_told_as_seconds(source, asking, blue):
    latency = asking(source(well).url, latency_unit="ms", **OWN_TOO).window(blue, *SPAN).latency
    assert latency == {0.0001: 300, 0.0005: 240, math.inf: 60}


OWN_TOO = {
    "requests": 'http_requests_total{app="{app}"}',
    "errors": 'http_requests_total{app="{app}", code=~"5.."}',
    "latency": 'http_seconds_bucket{app="{app}"}',
}


def test_latencies_are_asked_for_only_where_somebody_wants_them(source, asking, blue):
    server = source(well)
    figures = asking(server.url).window(evolve(blue, metrics=("error_rate",)), *SPAN)
    assert figures.errors == 60
    assert figures.latency == {}
    assert not [query for _, _, query in server.seen if "bucket" in query]


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (matrix(), "there is no series of x"),
        (matrix((TARGET, [(AT - 90, 5)])), "the last sample is 90 s older than its end"),
        (matrix((TARGET, [(AT - 70, 5), (AT - 5, "NaN")])), "a sample is nan"),
        (matrix((TARGET, [(AT - 70, "Inf"), (AT - 5, 6)])), "a sample is inf"),
        (matrix((TARGET, [(AT - 5, 6)])), "its first value 6 was left out"),
        (by_query(code=[], x=[(TARGET, [(AT - 70, 5), (AT - 5, 6)])]), "no series of x has the label code"),
        (
            by_query(
                code=[({**TARGET, "code": "500"}, [(AT - 70, 1), (AT - 5, 9)])],
                x=[(TARGET, [(AT - 70, 1), (AT - 5, 2)])],
            ),
            "8 errors of 1 requests: the errors are no part of the requests",
        ),
    ],
)  # fmt: skip
def test_what_is_unknown_of_counts_has_its_reason(source, asking, blue, how, reason):
    found = told(source, asking, blue, how)
    assert isinstance(found, NoData)
    assert reason in found.reason


def test_no_series_of_another_name_for_errors_is_unknown_and_not_zero(source, asking, blue):
    how = by_query(x=[(TARGET, [(AT - 70, 5), (AT - 5, 6)])])
    found = told(source, asking, blue, how, requests="x", errors="failures")
    assert "nobody knows whether nothing failed" in found.reason


def test_no_series_of_errors_counts_zero_where_one_would_be_found(source, asking, blue):
    fine = ({**TARGET, "code": "200"}, [(AT - 70, 5), (AT - 5, 6)])
    how = by_query(code=[], x=[fine])
    assert told(source, asking, blue, how) == Figures(requests=1)


PROXY = of("p:1", (70, 5), (9, 8), job="proxy")
APP_LOST = of("a:1", (200, 2), (70, 3), job="app")
SINCE, WHETHER = "nobody knows what has failed since", "nobody knows whether nothing failed"


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        # The requests are the proxy's, and the application that counts errors is scraped no more.
        ({"failures": [APP_LOST], "x": [PROXY]}, SINCE),
        ({"failures": [APP_LOST], "up": [of("a:1", (70, 1), (9, 0), job="app")], "x": [PROXY]}, SINCE),
        # No instance of it is left that counts.
        ({"failures": [APP_LOST], "up": [of("a:1", (200, 1), (70, 1), job="app")], "x": [PROXY]}, WHETHER),
        # One of two instances counts on; the other one may be the one that fails.
        ({"failures": [APP_LOST, of("b:1", (70, 2), (9, 2), job="app")], "x": [PROXY]}, SINCE),
        ({"failures": [APP_LOST, of("b:1", (70, 2), (9, 2), job="app")],
          "up": [of("a:1", (70, 1), (9, 0), job="app"), of("b:1", (9, 1), job="app")], "x": [PROXY]}, SINCE),
        # A release that is gone had the name; the one that came into its place may have another.
        ({"failures": [of("a:1", (70, 2))], "x": [of("a:1", (70, 9)), of("b:1", (70, 5), (9, 8))]}, WHETHER),
        # Likewise where it has the same address.
        ({"failures": [of("a:1", (70, 2))], "x": [of("a:1", (70, 9), (9, 3))]}, SINCE),
        # A rule's: nobody knows what it was made of.
        ({"failures": [({"slot": "blue"}, [(AT - 70, 3)])], "x": [PROXY]}, SINCE),
    ],
)  # fmt: skip
def test_errors_that_are_scraped_no_more_are_unknown_and_not_zero(source, asking, blue, answers, reason):
    found = told(source, asking, blue, by_query(**answers), requests="x", errors="failures")
    assert isinstance(found, NoData)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("answers", "figures"),
    [
        # A process is gone, with its requests as with its errors; another one counts both.
        ({"failures": [of("a:1", (70, 2)), of("b:1", (70, 1), (9, 2))],
          "x": [of("a:1", (70, 9)), of("b:1", (70, 5), (9, 8))]}, Figures(requests=3, errors=1)),
        # An instance is gone, and Prometheus knows; another one counts.
        ({"failures": [APP_LOST, of("b:1", (70, 2), (9, 3), job="app")],
          "up": [of("a:1", (200, 1), (70, 1), job="app"), of("b:1", (70, 1), (9, 1), job="app")],
          "x": [PROXY]}, Figures(requests=3, errors=1)),
        # A process began again, and has had errors of one kind only.
        ({"failures": [of("a:1", (70, 2), kind="a"), of("a:1", (70, 2), (9, 1), kind="b")],
          "x": [of("a:1", (70, 9), (9, 3))]}, Figures(requests=3, errors=1)),
    ],
)  # fmt: skip
def test_errors_of_what_is_gone_are_none(source, asking, blue, answers, figures):
    how = by_query(**answers)
    assert told(source, asking, blue, how, requests="x", errors="failures") == figures


BAD, GOOD = {"code": "500"}, {"code": "200"}


@pytest.mark.parametrize(
    ("answers", "figures"),
    [
        # The target was scraped, and has begun again without any.
        ({"code": [of("a:1", (70, 2), **BAD)],
          "x": [of("a:1", (70, 2), **BAD), of("a:1", (70, 9), (9, 3), **GOOD)]}, Figures(requests=3)),
        # It is gone, and another one has come.
        ({"code": [of("a:1", (70, 2), **BAD)],
          "x": [of("a:1", (70, 2), **BAD), of("b:1", (70, 5), (9, 8), **GOOD)]}, Figures(requests=3)),
        # A rule made both.
        ({"code": [(BAD, [(AT - 70, 2)])], "x": [(BAD, [(AT - 70, 2)]), (GOOD, [(AT - 70, 5), (AT - 9, 8)])]},
         Figures(requests=3)),
    ],
)  # fmt: skip
def test_a_kind_of_requests_that_is_not_there_is_none(source, asking, blue, answers, figures):
    assert told(source, asking, blue, by_query(**answers)) == figures


@pytest.mark.parametrize(
    "case",
    [
        # The same metric, of which the application's errors count beside the proxy's requests.
        (("x{job='proxy'}", "x{job='app', code='500'}"), {"app": [], "proxy": [PROXY]}, "job differs"),
        (("x{side='proxy'}", "x{side='app'}"), {"app": [], "proxy": [PROXY]}, "side differs"),
        (("x", "x{job='app'}"), {"app": [], "x": [PROXY]}, "may be of another job"),
        (("x", "x{job=~'app.*'}"), {"app": [], "x": [PROXY]}, "may be of another job"),
        (("x", "x{code='500'}"), {"code": [of("a:1", (70, 2), job="app", **BAD)], "x": [PROXY]}, SINCE),
        # The release before had the label; this one calls it otherwise.
        (("x", "x{code='500'}"),
         {"code": [of("a:1", (70, 2), **BAD)],
          "x": [of("a:1", (70, 2), **BAD), of("b:1", (70, 5), (9, 8), status="200")]},
         "no series of x has the label code"),
        (("x", "x{code='500'}"),
         {"code": [], "x": [of("a:1", (70, 2), **GOOD), of("b:1", (70, 5), (9, 8), status="200")]},
         "no series of x has the label code"),
        # Names that are matched as labels are, or are no words.
        (("{__name__='x'}", "{__name__='bad'}"), {"bad": [], "x": [PROXY]}, WHETHER),
        (("{'x.y'}", "{'x.bad'}"), {"bad": [], "x": [PROXY]}, WHETHER),
    ],
)  # fmt: skip
def test_errors_that_may_be_counted_elsewhere_are_unknown(source, asking, blue, case):
    (requests, errors), answers, reason = case
    found = told(source, asking, blue, by_query(**answers), requests=requests, errors=errors)
    assert isinstance(found, NoData)
    assert reason in found.reason


FRESH = {**TARGET, "code": "500"}


@pytest.mark.parametrize(
    ("answers", "errors"),
    [
        # What stands beside it was scraped before, without it.
        ({"code": [(FRESH, [(AT - 9, 2)])],
          "x": [(TARGET, [(AT - 70, 5), (AT - 9, 8)]), (FRESH, [(AT - 9, 2)])]}, 2),
        # All is new, and the target was scraped before without any of it.
        ({"code": [(FRESH, [(AT - 9, 2)])], "up": [(TARGET, [(AT - 20, 1), (AT - 9, 1)])],
          "x": [(FRESH, [(AT - 9, 2)])]}, 2),
        # All is new, and so is the process.
        ({"code": [(FRESH, [(AT - 9, 2)])], "process": [(TARGET, [(AT - 9, AT - 30)])],
          "x": [(FRESH, [(AT - 9, 2)])]}, 2),
        # All is new, and only what came on top is known.
        ({"code": [(FRESH, [(AT - 9, 2), (AT - 4, 3)])], "x": [(FRESH, [(AT - 9, 2), (AT - 4, 3)])]}, 1),
        # It was tried before, and nobody answered.
        ({"code": [(FRESH, [(AT - 9, 2), (AT - 4, 3)])], "up": [(TARGET, [(AT - 20, 0), (AT - 9, 1)])],
          "process": [(TARGET, [(AT - 9, AT - 61)])], "x": [(FRESH, [(AT - 9, 2), (AT - 4, 3)])]}, 1),
        # Another target's past says nothing of this one.
        ({"code": [(FRESH, [(AT - 9, 2), (AT - 4, 3)])],
          "up": [({**TARGET, "instance": "b:1"}, [(AT - 20, 1)])],
          "x": [(FRESH, [(AT - 9, 2), (AT - 4, 3)])]}, 1),
    ],
)  # fmt: skip
def test_a_new_series_counts_from_zero_only_where_that_is_known(source, asking, blue, answers, errors):
    assert told(source, asking, blue, by_query(**answers)).errors == errors


def test_a_series_of_nobody_knows_whom_is_left_out_once(source, asking, blue):
    rule = {"__name__": "x", "code": "500"}
    how = matrix((rule, [(AT - 9, 2), (AT - 4, 3)]), ({**rule, "code": "200"}, [(AT - 70, 0), (AT - 4, 3)]))
    assert told(source, asking, blue, how, requests="x").requests == 4


LE = [("0.1", 2), ("1", 3), ("+Inf", 4)]


def buckets(instance, counts):
    return [
        ({**TARGET, "instance": instance, "le": le}, [(AT - 70, 0), (AT - 5, count)]) for le, count in counts
    ]


@pytest.mark.parametrize(
    ("rows", "latency"),
    [
        (buckets("a", LE), {0.1: 2, 1: 1, math.inf: 1}),
        (buckets("a", LE) + buckets("b", LE), {0.1: 4, 1: 2, math.inf: 2}),
        # Where edges differ, those that all have.
        (buckets("a", LE) + buckets("b", [("0.5", 5), ("1.0", 6), ("+Inf", 6)]), {1: 9, math.inf: 1}),
    ],
)
def test_histograms_are_put_together(source, asking, blue, rows, latency):
    how = by_query(y_bucket=rows, x=[(TARGET, [(AT - 70, 0), (AT - 5, 90)])])
    assert told(source, asking, blue, how, requests="x", latency="y_bucket").latency == latency


@pytest.mark.parametrize(
    "case",
    [
        ([], "there is no series of y_bucket"),
        (buckets("a", LE[:2]), 'lack the edge le="+Inf"'),
        (buckets("a", [("0.1", 3), ("+Inf", 2)]), "grew by less than the one below it"),
        (buckets("a", [("much", 3)]), "its label le is no number"),
        (buckets("a", [("0.1", "NaN"), ("+Inf", 2)]), "a sample is nan"),
    ],
)
def test_latencies_that_are_unknown_are_left_out_with_the_reason(source, asking, blue, logger, case):
    rows, said = case
    how = by_query(y_bucket=rows, x=[(TARGET, [(AT - 70, 0), (AT - 5, 90)])])
    figures = told(source, asking, blue, how, requests="x", latency="y_bucket")
    assert evolve(figures, unknown={}) == Figures(requests=90)
    assert list(figures.unknown) == ["latency"]
    assert said in figures.unknown["latency"]
    assert said in str(logger.lines)
