"""Against a real Prometheus, which scrapes real exporters: right to the unit."""

import itertools
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from attrs import evolve

from uno_core import NoData, Secret, UnoError
from uno_core.testing import MetricProviderContract
from uno_metrics_prometheus.options import PrometheusOptions
from uno_metrics_prometheus.plugin import uno_register_metric_providers
from uno_metrics_prometheus.presets import PRESETS
from uno_metrics_prometheus.provider import PrometheusMetrics

pytest_plugins = ["uno_core.testing.fixtures", "prometheus"]
pytestmark = pytest.mark.component("prometheus")

_numbers = itertools.count(1)


@pytest.fixture
def app():
    """An application of its own for each test, since all are in one Prometheus."""
    return f"app{next(_numbers)}"


@pytest.fixture
def query(blue, app):
    return evolve(blue, application=app)


@pytest.fixture
def provider(asking, prometheus):
    return asking(prometheus.url)


def when(seconds):
    return datetime.fromtimestamp(seconds, UTC)


def counted(provider, query, start, end):
    figures = provider.window(query, when(start), when(end))
    assert not isinstance(figures, NoData), figures.reason
    return figures


@pytest.fixture(scope="module")
def told(scraping):
    """A window in which the shop has done something."""
    exporter = scraping[1][2]
    exporter.request("shop")
    start = exporter.scraped()
    for _ in range(10):
        exporter.request("shop")
    exporter.request("shop", "500", 0.3)
    return when(start), when(exporter.scraped())


class TestContract(MetricProviderContract):
    @pytest.fixture
    def provider(self, provider):
        return provider

    @pytest.fixture
    def info(self):
        return uno_register_metric_providers()[0]

    @pytest.fixture
    def span(self, told):
        return told


def test_windows_that_touch_add_up_to_what_the_exporter_counted(provider, query, exporter, app):
    over = threading.Event()

    def load():
        for number in itertools.count():
            if over.wait(0.003):
                return
            exporter.request(app, "500" if number % 7 == 0 else "200", (number % 9) / 10)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        edges = [exporter.scraped() for _ in range(4)]
        exporter.scraped()
    finally:
        over.set()
        thread.join()
    windows = [counted(provider, query, start, end) for start, end in itertools.pairwise(edges)]
    told = dict(exporter.scrapes)
    for start, end, figures in zip(edges, edges[1:], windows, strict=False):
        grew = partial(_between, exporter, told[start], told[end])
        assert figures.requests == grew("http_requests_total") > 0
        assert figures.errors == grew("http_requests_total", code="500") > 0
        assert sum(figures.latency.values()) == figures.requests
        assert figures.latency[0.1] == grew("http_seconds_bucket", le="0.1")
    whole = counted(provider, query, edges[0], edges[-1])
    assert whole.requests == sum(figures.requests for figures in windows)


def _between(exporter, before, after, name, **labels):
    return exporter.total(name, after, **labels) - exporter.total(name, before, **labels)


def test_a_counter_that_begins_again_loses_nothing_that_was_scraped(provider, query, exporter, app):
    for _ in range(50):
        exporter.request(app)
    start = exporter.scraped()
    for _ in range(7):
        exporter.request(app)
    exporter.scraped()
    exporter.restart()
    for _ in range(5):
        exporter.request(app)
    end = exporter.scraped()
    assert counted(provider, query, start, end).requests == 12


def test_the_first_error_of_a_process_counts(provider, query, exporter, app):
    exporter.request(app)
    start = exporter.scraped()
    exporter.request(app, "503")
    end = exporter.scraped()
    figures = counted(provider, query, start, end)
    assert (figures.requests, figures.errors) == (1, 1)


def test_the_first_requests_of_a_process_count_where_it_was_scraped_before(provider, query, exporter, app):
    start = exporter.scraped()
    exporter.request(app)
    exporter.request(app, "500")
    end = exporter.scraped()
    figures = counted(provider, query, start, end)
    assert (figures.requests, figures.errors, sum(figures.latency.values())) == (2, 1, 2)


@pytest.mark.parametrize("case", [(0, 3), (3600, 1)], ids=["new", "old"])
def test_of_a_process_that_is_seen_first_its_age_decides(provider, query, exporter, unborn, case):
    (age, requests), app = case, query.application
    start = exporter.scraped()
    unborn.started = time.time() - age
    for _ in range(2):
        unborn.request(app)
    unborn.start()
    unborn.scraped()
    unborn.request(app)
    end = unborn.scraped()
    assert counted(provider, query, start, end).requests == requests


def test_a_target_that_vanishes_is_counted_to_its_end_and_is_no_data_then(
    provider, query, exporter, another, app
):
    exporter.request(app)
    start = exporter.scraped()
    for _ in range(4):
        exporter.request(app)
    exporter.scraped()
    exporter.stop()
    gone = exporter.scrapes[-1][0]
    another.scraped()
    later = another.scraped()
    assert counted(provider, query, start, later).requests == 4
    nothing = provider.window(query, when(gone + 0.5), when(later))
    assert isinstance(nothing, NoData)
    assert "nothing was scraped within the window" in nothing.reason


def test_two_targets_are_summed_and_one_that_is_gone_takes_nothing_along(
    provider, query, exporter, another, app
):
    for one in (exporter, another):
        one.request(app)
    start = max(exporter.scraped(), another.scraped())
    exporter.request(app)
    another.request(app, "500")
    exporter.scraped()
    another.scraped()
    another.stop()
    exporter.request(app)
    end = exporter.scraped()
    figures = counted(provider, query, start, end)
    assert (figures.requests, figures.errors) == (3, 1)


def test_whatever_a_slot_is_called_it_is_found_and_nothing_else(prometheus, asking, query, exporter, app):
    slots = ['bl"ue', "bl\\ue", "blue\ngreen", "b{l}u'e", "b.*", "blüe", "(", "blue"]
    for slot in slots:
        exporter.request(app, slot=slot)
    start = exporter.scraped()
    for number, slot in enumerate(slots):
        for _ in range(number):
            exporter.request(app, slot=slot)
    end = exporter.scraped()
    for operator in ("=", "=~"):
        text = f'http_requests_total{{app="{{app}}", slot{operator}"{{slot}}"}}'
        found = [
            counted(asking(prometheus.url, requests=text, slots={"blue": name}), query, start, end).requests
            for name in (slot.replace("{l}", "{{l}}") for slot in slots)
        ]
        assert found == list(range(len(slots)))


NUMBERS = {
    "good": 'sum(http_requests_total{app="{app}"})',
    "absent": 'nothing{app="{app}"}',
    "several": 'sum by (code) (http_requests_total{app="{app}"})',
    "scalar": "scalar(vector(1))",
    "string": '"one"',
    "range": 'http_requests_total{app="{app}"}[{window}]',
    "nan": 'sum(http_requests_total{app="{app}"}) * 0 / 0',
    "infinite": 'sum(http_requests_total{app="{app}"}) / 0',
}
SAID = {
    "absent": "there is no series of nothing{app=",
    "several": "gives 2 series, expected one: {'code': '",
    "scalar": "gives a scalar",
    "string": "gives a string",
    "range": "gives a matrix",
    "nan": "is nan",
    "infinite": "is inf",
}


def test_a_query_that_gives_no_number_is_no_data(prometheus, asking, query, exporter, app):
    exporter.request(app)
    exporter.request(app, "500")
    end = exporter.scraped()
    provider = asking(prometheus.url, queries=NUMBERS)
    span = (when(end - 10), when(end))
    assert provider.window(evolve(query, metrics=("good",)), *span).values == {"good": 2}
    for name, said in SAID.items():
        found = provider.window(evolve(query, metrics=(name,)), *span)
        assert isinstance(found, NoData)
        assert said in found.reason


def test_a_counter_that_is_no_number_is_no_data(provider, query, exporter, app):
    exporter.request(app)
    start = exporter.scraped()
    exporter.count("http_requests_total", float("nan"), app=app, slot="blue", code="200")
    end = exporter.scraped()
    found = provider.window(query, when(start), when(end))
    assert isinstance(found, NoData)
    assert "a sample is nan" in found.reason


def test_a_query_that_is_wrong_fails_in_prometheus_own_words(prometheus, asking, query):
    provider = asking(prometheus.url, queries={"m": "sum(("})
    now = datetime.now(UTC)
    with pytest.raises(UnoError) as caught:
        provider.window(query, now - timedelta(seconds=60), now)
    assert "400 Bad Request: bad_data" in caught.value.found
    assert "parse error" in caught.value.found
    assert caught.value.where.endswith(", sum((")


@pytest.mark.parametrize("preset", PRESETS)
def test_what_a_preset_asks_is_understood(prometheus, asking, query, preset):
    now = datetime.now(UTC)
    provider = asking(prometheus.url, preset=preset, labels={"namespace": "prod"})
    found = provider.window(query, now - timedelta(seconds=60), now)
    assert found.reason.startswith("there is no series of ")


ENVOY = """envoy_cluster_external_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="APP"} GOOD
envoy_cluster_external_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="APP"} BAD
envoy_cluster_external_upstream_rq_time_bucket{envoy_cluster_name="APP",le="250"} GOOD
envoy_cluster_external_upstream_rq_time_bucket{envoy_cluster_name="APP",le="+Inf"} ALL"""


def test_the_milliseconds_of_a_preset_are_told_as_seconds(prometheus, asking, query, exporter, app):
    def page(good, bad):
        text = ENVOY.replace("APP", app).replace("GOOD", str(good)).replace("BAD", str(bad))
        exporter.extra = text.replace("ALL", str(good + bad))

    page(10, 1)
    start = exporter.scraped()
    page(15, 3)
    end = exporter.scraped()
    figures = counted(asking(prometheus.url, preset="envoy", slots={"blue": "{app}"}), query, start, end)
    assert (figures.requests, figures.errors, figures.latency) == (7, 2, {0.25: 5, float("inf"): 2})


def test_what_happened_while_prometheus_was_gone_is_counted_after_it(apart, asking, query, app):
    prometheus, exporter = apart
    provider = asking(prometheus.url)
    exporter.request(app)
    start = exporter.scraped()
    prometheus.kill()
    with pytest.raises(UnoError) as caught:
        provider.window(query, when(start), when(start + 10))
    assert caught.value.found == "connection refused"
    for _ in range(3):
        exporter.request(app)
    prometheus.start()
    end = exporter.scraped()
    assert counted(provider, query, start, end).requests == 3


# bcrypt of open-sesame, at the least cost that Prometheus takes.
HASH = "$2b$04$abcdefghijklmnopqrstuuXcjcm5avyCiJoD2uS24xa2lb6fjMB3G"


def test_tls_and_password_of_a_real_one(start_prometheus, query, services, certificates):
    web = (
        f"tls_server_config: {{cert_file: {certificates}/server.pem, key_file: {certificates}/server.key,"
        f" client_ca_file: {certificates}/ca.pem, client_auth_type: RequireAndVerifyClientCert}}\n"
        f"basic_auth_users: {{uno: {HASH}}}\n"
    )
    server = start_prometheus(web=web)
    right = {
        "url": server.url,
        "queries": {"m": "vector(1)"},
        "ca": f"{certificates}/ca.pem",
        "certificate": f"{certificates}/client.pem",
        "key": f"{certificates}/client.key",
        "user": "uno",
        "password": Secret("TOKEN"),
    }
    now = datetime.now(UTC)

    def ask(**changes):
        provider = PrometheusMetrics(PrometheusOptions(**{**right, **changes}), services)
        return provider.window(query, now - timedelta(seconds=60), now)

    assert ask().values == {"m": 1}
    for changes, said in (
        ({"user": "somebody"}, "401 Unauthorized"),
        ({"user": "", "password": None}, "401 Unauthorized"),
        ({"ca": ""}, "certificate verify failed"),
        ({"certificate": "", "key": ""}, "certificate"),
        (
            {"url": server.url.replace("https", "http")},
            "400 Bad Request: 'Client sent an HTTP request to an HTTPS",
        ),
    ):
        with pytest.raises(UnoError) as caught:
            ask(**changes)
        assert said in caught.value.found
