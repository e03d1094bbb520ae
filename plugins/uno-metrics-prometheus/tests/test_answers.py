"""What becomes of every answer, good and bad, without a real Prometheus."""

import base64
import html
import json
import math
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from attrs import evolve
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from uno_core import ConfigError, Figures, NoData, Secret, Slot, UnoError
from uno_core.testing import MetricProviderContract, PluginContract
from uno_core.testing.fixtures import TableOfSecrets
from uno_metrics_prometheus.options import PrometheusOptions
from uno_metrics_prometheus.plugin import uno_register_metric_providers
from uno_metrics_prometheus.provider import PrometheusMetrics

pytest_plugins = ["uno_core.testing.fixtures"]

END = datetime(2026, 3, 1, 12, tzinfo=UTC)
SPAN = (END - timedelta(seconds=60), END)
RATES = {"200": 9, "500": 1}
BUCKETS = {"0.1": 5, "0.5": 9, "+Inf": 10}


def well(request, spoil=lambda value: value):
    """Answers for the shop's blue slot: ten requests a second, one of them bad, scraped every 5 s."""
    query, end = request.asked["query"], int(float(request.asked["time"]))
    if 'app="shop"' not in query:
        return request.result("matrix", [])
    labels = {"app": "shop", "slot": "blue", "job": "shop", "instance": "a:1"}
    rows = {"code": RATES} if query.startswith("http_requests_total") else {"le": BUCKETS}
    if "5.." in query:
        rows = {"code": {"500": 1}}
    ((label, rates),) = rows.items()
    times = range(end - 200 - end % 5, end + 1, 5)
    return request.result(
        "matrix",
        [
            {
                "metric": {**labels, "__name__": re.match(r"\w+", query)[0], label: value},
                "values": [[at, spoil(str(at * rate))] for at in times],
            }
            for value, rate in rates.items()
        ],
    )


def hang(request):
    request.server.over.wait(60)


def drip(request):
    """Never later than a moment, and never done."""
    request.send_response(200)
    request.send_header("Content-Length", "100000")
    request.end_headers()
    while not request.server.over.wait(0.05):
        request.wfile.write(b" ")


AILMENTS = {
    "nan": lambda request: well(request, lambda _: "NaN"),
    "infinite": lambda request: well(request, lambda _: "+Inf"),
    "empty": lambda request: request.result("matrix", []),
    "wrong_shape": lambda request: request.result("string", [0, "ten"]),
    "error": lambda request: request.say(500, b"<html>oops</html>"),
    "slow": hang,
}


class TestContract(MetricProviderContract):
    @pytest.fixture
    def provider(self, source, asking):
        return asking(source(well).url)

    @pytest.fixture
    def info(self):
        return uno_register_metric_providers()[0]

    @pytest.fixture
    def ailing(self, source, asking, closed):
        def make(ailment):
            url = closed if ailment == "refused" else source(AILMENTS[ailment]).url
            return asking(url, timeout=1.0 if ailment == "slow" else 10.0)

        return make


class TestContractOfQueries(MetricProviderContract):
    """The same for numbers by queries of one's own."""

    query_text = 'sum(memory{app="{app}"})'

    @pytest.fixture
    def info(self):
        return uno_register_metric_providers()[0]

    @pytest.fixture
    def query(self, blue):
        return evolve(blue, metrics=("memory",))

    @pytest.fixture
    def provider(self, source, asking):
        def one(request):
            known = 'app="shop"' in request.asked["query"]
            request.result("vector", [{"metric": {}, "value": [1, "12"]}] if known else [])

        return asking(source(one).url, queries={"memory": self.query_text})

    @pytest.fixture
    def ailing(self, source, asking, closed):
        def number(text):
            return lambda request: request.result("vector", [{"metric": {}, "value": [1, text]}])

        ways = {
            **AILMENTS,
            "nan": number("NaN"),
            "infinite": number("-Inf"),
            "empty": lambda request: request.result("vector", []),
            "wrong_shape": number(True),
        }

        def make(ailment):
            url = closed if ailment == "refused" else source(ways[ailment]).url
            return asking(
                url, queries={"memory": self.query_text}, timeout=1.0 if ailment == "slow" else 10.0
            )

        return make


class TestPlugin(PluginContract):
    distribution = "uno-metrics-prometheus"
    sdks = ("requests", "urllib3")


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


def matrix(*series):
    """Answers each query with series whose labels and samples are these."""

    def how(request):
        request.result(
            "matrix",
            [{"metric": labels, "values": [[at, str(v)] for at, v in samples]} for labels, samples in series],
        )

    return how


def told(source, asking, blue, how, **options):
    return asking(source(how).url, **(options or {"requests": "x", "errors": 'x{code="500"}'})).window(
        blue, *SPAN
    )


AT = END.timestamp()
TARGET = {"job": "shop", "instance": "a:1", "__name__": "x"}


def by_query(**answers):
    """Answers by what stands in the query; the first that fits."""

    def how(request):
        for part, series in answers.items():
            if part.replace("_S", "{") in request.asked["query"]:
                return matrix(*series)(request)
        return request.result("matrix", [])

    return how


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


def of(instance, *samples, job="shop", **labels):
    """A series whose samples stand so many seconds before the end of the window."""
    return {"__name__": "x", "job": job, "instance": instance, **labels}, [
        (AT - ago, value) for ago, value in samples
    ]


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


def vector(*values):
    return lambda request: request.result(
        "vector", [{"metric": {"n": str(i)}, "value": [1, v]} for i, v in enumerate(values)]
    )


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (vector(), 'there is no series of sum(m{app="shop"}[60s])'),
        (vector("1", "2"), "gives 2 series, expected one: {'n': '0'}, {'n': '1'}"),
        (vector("NaN"), "is nan, which is no number to go by"),
        (vector("+Inf"), "is inf, which is no number to go by"),
        (vector(12), "gives no number"),
        (vector("twelve"), "gives no number"),
        (vector(None), "gives no number"),
        (lambda request: request.result("vector", [{"metric": {}}]), "gives no number"),
        (lambda request: request.result("vector", {}), "gives a vector: expected"),
        (lambda r: r.result("scalar", [1, "2"]), "gives a scalar: expected a vector with one series, w"),
        (lambda request: request.result("string", [1, "2"]), "gives a string"),
        (lambda request: request.result("matrix", []), "gives a matrix"),
    ],
)  # fmt: skip
def test_a_value_that_is_no_number_is_no_data(source, asking, blue, how, reason):
    found = told(source, asking, blue, how, queries={"memory": 'sum(m{app="{app}"}[{window}])'})
    assert isinstance(found, NoData)
    assert found.reason.startswith("memory: ")
    assert reason in found.reason


def test_a_value_is_told(source, asking, blue):
    assert told(source, asking, blue, vector("1.5"), queries={"memory": "m"}) == Figures(
        values={"memory": 1.5}
    )


def test_only_what_is_asked_for_is_queried(source, asking, blue):
    server = source(vector("1"))
    figures = asking(server.url, queries={"memory": "m", "cpu": "c"}).window(
        evolve(blue, metrics=("cpu",)), *SPAN
    )
    assert figures.values == {"cpu": 1}
    assert [query for _, _, query in server.seen] == ["c"]


def test_what_is_known_is_told_beside_what_is_not(source, asking, blue, logger):
    def how(request):
        vector("1" if request.asked["query"] == "c" else "NaN")(request)

    figures = told(source, asking, blue, how, queries={"memory": "m", "cpu": "c"})
    assert evolve(figures, unknown={}) == Figures(values={"cpu": 1})
    assert figures.unknown == {"memory": "memory: m is nan, which is no number to go by"}
    assert "memory: m is nan" in str(logger.lines)


def test_counts_that_are_unknown_are_not_none(source, asking, blue):
    def how(request):
        rows = "vector" if request.asked["query"] == "c" else "matrix"
        request.result(rows, [{"metric": {}, "value": [1, "1"]}] if rows == "vector" else [])

    figures = told(source, asking, blue, how, queries={"cpu": "c"}, requests="x")
    assert (figures.requests, dict(figures.values)) == (0, {"cpu": 1})
    assert "there is no series of x" in figures.unknown["requests"]


def test_an_empty_version_would_match_everything_without_one(source, asking, blue):
    server = source(vector("1"))
    provider = asking(server.url, queries={"memory": 'm{version="{version}"}'})
    found = provider.window(evolve(blue, version=""), *SPAN)
    assert found.reason.startswith("memory: nobody knows the version of blue")
    assert not server.seen


def test_slots_are_called_what_they_are_called(source, asking, blue):
    server = source(vector("1"))
    asking(server.url, queries={"m": 'm{w="{slot}"}'}, slots={"blue": "{app}-old"}).window(blue, *SPAN)
    asking(server.url, queries={"m": 'm{w="{slot}"}'}).window(evolve(blue, slot=Slot.GREEN), *SPAN)
    assert [query for _, _, query in server.seen] == ['m{w="shop-old"}', 'm{w="green"}']


def test_both_slots_of_nginx_are_made_of_what_is_the_canary_and_what_is_not(source, asking, blue):
    server = source(matrix())
    asking(server.url, preset="nginx", labels={"namespace": "prod"}).window(blue, *SPAN)
    first, second = [query for _, _, query in server.seen]
    assert 'service="shop-blue", canary="", namespace="prod"' in first
    assert r'canary=~"prod-shop\\-blue-[a-z0-9-]{1,15}", namespace="prod"' in second


@pytest.mark.parametrize(
    "case",
    [
        ("namespace", "pro.d-shop-blue-80", True),
        ("exported_namespace", "pro.d-shop-blue-http-web", True),
        ("namespace", "pro.d-billing-shop-blue-80", False),
        ("namespace", "billing-pro.d-shop-blue-80", False),
        ("namespace", "shop-blue-80", False),
        ("namespace", "proxd-shop-blue-80", False),
        ("namespace", "pro.d-shop-blue-administration-80", False),
    ],
)
def test_the_canary_of_another_application_is_not_counted(source, asking, blue, case):
    label, canary, found = case
    server = source(matrix())
    asking(server.url, preset="nginx", labels={label: "pro.d"}).window(blue, *SPAN)
    (pattern,) = {re.search(r'canary=~"(.*?)"', query)[1] for _, _, query in server.seen if "=~" in query}
    assert bool(re.fullmatch(pattern.replace("\\\\", "\\"), canary)) is found


def test_a_namespace_may_be_the_environments(source, asking, blue):
    server = source(matrix())
    asking(server.url, preset="nginx", labels={"namespace": "{environment}"}).window(blue, *SPAN)
    assert 'canary=~"testing-shop' in server.seen[1][2]
    found = asking(server.url, preset="nginx", labels={"namespace": "{environment}"}).window(
        evolve(blue, environment=""), *SPAN
    )
    assert "nobody knows the environment" in found.reason


def test_no_errors_of_a_part_that_lacks_a_label_on_purpose_are_none(source, asking, blue):
    """What went to nginx's main ingress has no label `canary`, and is asked for without it."""
    how = by_query(status=[], service=[of("a:1", (70, 5), (9, 8), status="200")])
    given = {"preset": "nginx", "labels": {"namespace": "prod"}}
    assert told(source, asking, blue, how, **given).errors == 0


def say(status, body):
    return lambda request: request.say(status, body)


ERROR = {"status": "error", "errorType": "bad_data", "error": "1:3: parse error: unexpected <eof>"}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (say(400, ERROR), "400 Bad Request: bad_data: 1:3: parse error: unexpected <eof>"),
        (say(503, {**ERROR, "errorType": "timeout"}), "503 Service Unavailable: timeout: 1:3"),
        (say(200, ERROR), "200 OK: bad_data"),
        (say(500, b"<html>oops</html>"), "500 Internal Server Error: '<html>oops</html>'"),
        (say(401, b"Unauthorized\n"), "401 Unauthorized: 'Unauthorized'"),
        (say(200, b"<html>Sign in</html>"), "200 OK: '<html>Sign in</html>'"),
        (say(200, b""), "200 OK: (empty)"),
        (say(200, {"status": "success"}), '200 OK: \'{"status": "success"}\''),
        (say(500, {"status": "success", "data": {"resultType": "vector", "result": []}}), "500 Internal"),
        (lambda r: r.result("matrix", [], warnings=["read failed"]), "with the warning: read failed"),
        (lambda r: r.result("matrix", [{"metric": {}, "histograms": []}]), "series that cannot be read"),
        (lambda r: r.result("matrix", [{"metric": {}, "values": [[1, True]]}]), "series that cannot be read"),
        (lambda r: r.result("vector", []), "a vector instead of the samples of series"),
        (hang, "no answer within 0.5 s"),
        (drip, "no answer within 0.5 s"),
    ],
)  # fmt: skip
def test_a_failure_says_what_was_found_and_where(source, asking, blue, how, said):
    server = source(how)
    with pytest.raises(UnoError) as caught:
        asking(server.url, requests="x", timeout=0.5).window(blue, *SPAN)
    assert said in caught.value.found
    assert caught.value.where == f"{server.url}, x[360s]"
    assert caught.value.remedy


def test_who_is_not_there_is_a_failure(closed, asking, blue):
    with pytest.raises(UnoError) as caught:
        asking(closed).window(blue, *SPAN)
    assert caught.value.found == "connection refused"


def test_the_timeout_is_for_all_queries_of_a_look(source, asking, blue):
    """A source that is late by itself with each, and in time by the clock of none."""
    server = source(lambda request: (request.server.over.wait(0.3), vector("1")(request)))
    queries = {name: name for name in "abcdefgh"}
    with pytest.raises(UnoError, match="did not answer"):
        asking(server.url, queries=queries, timeout=1.0).window(blue, *SPAN)
    assert len(server.seen) < len(queries)


def test_credentials_are_sent_and_a_redirect_is_not_followed(source, asking, blue):
    other = source(vector("1"))
    server = source(lambda request: request.say(302, Location=f"{other.url}/api/v1/query"))
    provider = asking(
        server.url, queries={"m": "m"}, token=Secret("TOKEN"), headers={"X-Scope-OrgID": Secret("TOKEN")}
    )
    with pytest.raises(UnoError) as caught:
        provider.window(blue, *SPAN)
    assert "302 Found" in caught.value.found
    assert "redirects are not followed" in caught.value.found
    assert not other.seen
    ((_, headers, _),) = server.seen
    assert headers["Authorization"] == "Bearer open-sesame"
    assert headers["X-Scope-OrgID"] == "open-sesame"


def test_user_and_password_are_sent(source, asking, blue):
    server = source(vector("1"))
    provider = asking(server.url, queries={"m": "m"}, user="me", password=Secret("TOKEN"))
    assert provider.window(blue, *SPAN).values == {"m": 1}
    assert server.seen[0][1]["Authorization"] == "Basic bWU6b3Blbi1zZXNhbWU="


def echoes(sent, cut):
    """Ways in which a server may send back what it was sent."""
    begin = "x" * cut
    yield f"no such token: {sent}".encode()
    yield f"{begin} {sent}".encode()
    yield sent[cut:].encode()
    yield sent.encode("latin-1")
    yield f"{begin}<p>{html.escape(sent)}</p>".encode()
    yield f"/login?then={quote(sent, safe='')}".encode()
    yield json.dumps({"you": sent}).encode()
    yield {"status": "success", "you": sent}
    yield {"status": "error", "error": f"{begin}: {sent}"}
    yield {"status": "success", "warnings": [sent]}
    for row in ({"metric": {"you": sent}, "values": [[AT - 5, "NaN"]]}, {"metric": {"you": sent}}):
        yield {"status": "success", "data": {"resultType": "matrix", "result": [row]}}


LATIN = st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"])
SECRETS = st.text(LATIN, min_size=8)


@pytest.fixture
def echoed(source, services, blue):
    """`echoed(secret, cut, **options)`: all that is shown of what a server sends back."""
    server = source(None)

    def shown(secret, cut, **options):
        known = evolve(services, secrets=TableOfSecrets({"MINE": secret}))
        provider = PrometheusMetrics(PrometheusOptions(url=server.url, requests="x", **options), known)
        for number, _ in enumerate(echoes("", cut)):

            def how(request, number=number):
                scheme, _, sent = request.headers["Authorization"].partition(" ")
                meant = f" {base64.b64decode(sent).decode()}" if scheme == "Basic" else ""
                said = list(echoes(f"{scheme} {sent}{meant}", cut))[number]
                request.say(200 if isinstance(said, dict) else 401, said)

            server.how = how
            try:
                yield provider.window(blue, *SPAN).reason
            except UnoError as error:
                yield str(error)

    return shown


@given(secret=SECRETS | SECRETS.map(lambda text: text * 20), cut=st.integers(0, 160), basic=st.booleans())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(secret="ab\"cdefghij'klm\\nopq<rst&" * 5, cut=150, basic=False)
@example(secret="eyJhbGciOiJIUzI1NiJ9." + "A1b2" * 40 + ".SIGNATURE0123456789", cut=0, basic=True)
def test_no_part_of_a_secret_is_shown_however_it_comes_back(echoed, secret, cut, basic):
    given = {"user": "me", "password": Secret("MINE")} if basic else {"token": Secret("MINE")}
    sent = base64.b64encode(f"me:{secret}".encode()).decode() if basic else secret
    runs = {text[at : at + 8] for text in (secret, sent) for at in range(len(text) - 7)}
    for shown in echoed(secret, cut, **given):
        assert not [run for run in runs if run in shown], shown


def test_a_secret_is_never_shown(source, asking, blue):
    def echo(request):
        request.say(403, {**ERROR, "error": f"no such token: {request.headers['Authorization']}"})

    with pytest.raises(UnoError) as caught:
        asking(source(echo).url, token=Secret("TOKEN")).window(blue, *SPAN)
    assert "no such token: Bearer ***" in str(caught.value)
    assert "open-sesame" not in str(caught.value)


@pytest.mark.parametrize("secret", ["NOBODY"])
def test_a_secret_that_is_not_there_is_an_error(source, asking, blue, secret):
    with pytest.raises(ConfigError):
        asking(source(well).url, token=Secret(secret)).window(blue, *SPAN)


def test_the_path_of_a_proxy_stays(source, asking, blue):
    server = source(vector("1"))
    asking(server.url + "/prometheus/", queries={"m": "m"}).window(blue, *SPAN)
    assert server.seen[0][0].startswith("/prometheus/api/v1/query?")


def test_a_client_certificate_is_shown_and_the_servers_is_verified(source, asking, blue, tls, certificates):
    url = source(vector("1"), tls=tls).url
    files = {
        name: str(certificates / f"{file}.pem") for name, file in (("ca", "ca"), ("certificate", "client"))
    }
    shown = {**files, "key": str(certificates / "client.key"), "queries": {"m": "m"}}
    assert asking(url, **shown).window(blue, *SPAN).values == {"m": 1}
    with pytest.raises(UnoError) as caught:
        asking(url, **{**shown, "ca": ""}).window(blue, *SPAN)
    assert "certificate verify failed" in caught.value.found
    with pytest.raises(UnoError) as caught:
        asking(url, **{**shown, "certificate": "", "key": ""}).window(blue, *SPAN)
    # The server says so, but closes at once, so that its word may be lost.
    assert re.search("certificate required|certificate of the client's", caught.value.found)


def test_a_file_that_is_not_there_is_named(source, asking, blue):
    with pytest.raises(ConfigError) as caught:
        asking(source(well).url, ca="/nowhere/ca.pem").window(blue, *SPAN)
    assert caught.value.where == "/nowhere/ca.pem"
