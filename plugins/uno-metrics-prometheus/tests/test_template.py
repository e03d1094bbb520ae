"""Placeholders in PromQL: none can break out of its quotes, and braces that are meant stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uno_core import Slot
from uno_metrics_prometheus.options import PrometheusOptions
from uno_metrics_prometheus.presets import PRESETS
from uno_metrics_prometheus.template import fill, selector, used

VALUES = {"app": "shop", "environment": "prod", "slot": "blue", "version": "1.2.0", "window": "60s"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ('up{slot="{slot}"}', 'up{slot="blue"}'),
        ("up{slot='{slot}', app=\"{app}\"}", "up{slot='blue', app=\"shop\"}"),
        ('rate(x{version="{version}"}[{window}])', 'rate(x{version="1.2.0"}[60s])'),
        ('x{version=~"{version}(-rc)?"}', r'x{version=~"1\\.2\\.0(-rc)?"}'),
        ('x{version !~ "{version}"}', r'x{version !~ "1\\.2\\.0"}'),
        ('x{route="/items/{{slot}}"}', 'x{route="/items/{slot}"}'),
        ('x{code=~"5.{2}"}', 'x{code=~"5.{2}"}'),
        ("x{route=`/items`}", "x{route=`/items`}"),
        ('x{a="it\\"s {slot}"}', 'x{a="it\\"s blue"}'),
        ('x # of "{nobody}\n + y{slot="{slot}"}', 'x # of "{nobody}\n + y{slot="blue"}'),
    ],
)
def test_values_are_put_in(text, filled):
    assert fill(text, VALUES) == filled


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'x{slot="{slto}"}',
            "{slto} is no placeholder: expected {app}, {environment}, {slot}, {version}, {window}",
        ),
        ('x{slot="{slto}"}', "did you mean {slot}?"),
        ('x{route="/items/{id}"}', "{{id}} for the text itself"),
        ("x{slot={slot}}", '{slot} stands outside of quotes: write label="{slot}"'),
        ("x{slot=`{slot}`}", "backquotes"),
        ('x{slot="{slot}}', 'the quote " is never closed'),
    ],
)
def test_what_is_wrong_is_said(text, said):
    for look in (used, lambda text: fill(text, VALUES)):
        with pytest.raises(ValueError) as caught:
            look(text)
        assert said in str(caught.value)


@given(st.text())
def test_a_value_stays_within_its_quotes(value):
    filled = fill('x{slot="{slot}"}', {**VALUES, "slot": value})
    inside = filled.removeprefix('x{slot="').removesuffix('"}')
    assert inside.replace("\\\\", "").replace('\\"', "").count('"') == 0
    assert not inside.replace("\\\\", "").endswith("\\")
    assert "\n" not in inside


@pytest.mark.parametrize(
    ("text", "metric", "labels"),
    [
        ("http_requests_total", "http_requests_total", []),
        ('a:b{x="1", y=~"(2|3)[4]", z!="{slot}"}', "a:b", ["x", "y", "z"]),
        ('{__name__="x", code=~"5.."}', "", ["__name__", "code"]),
        ('{"x.y", code=~"5.."}', "x.y", ["code"]),
    ],
)
def test_a_selector_is_taken_apart(text, metric, labels):
    found, matchers = selector(text)
    assert (found, list(matchers)) == (metric, labels)


@pytest.mark.parametrize(
    "text", ["rate(x[1m])", "x[1m]", "x offset 5m", "x + y", "", 'sum(x{a="b"})', "x{} @ 5"]
)
def test_what_is_no_selector_is_refused(text):
    with pytest.raises(ValueError, match="expected a selector such as"):
        selector(text)


URL = "http://localhost:9090"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "localhost:9090", "preset": "envoy"}, "expected http://HOST:PORT"),
        ({"url": "http://me:geheim@prom", "preset": "envoy"}, "http://prom: it holds a password"),
        ({"url": "http://me:ge/heim@prom", "preset": "envoy"}, "url = http://prom"),
        ({"url": "http://prom?a=b", "preset": "envoy"}, "without ? and #"),
        ({}, "nothing is asked"),
        ({"preset": "evnoy"}, "one of envoy, envoy-gateway, istio, nginx"),
        ({"preset": "envoy", "requests": "x"}, "not both"),
        ({"errors": "x"}, "errors without requests"),
        ({"requests": "rate(x[1m])"}, "requests: rate(x[1m]): expected a selector"),
        ({"requests": 'x{slot="{slto}"}'}, "did you mean {slot}?"),
        ({"queries": {"memory": 'x{slot="{slto}"}'}}, "queries.memory: {slto} is no placeholder"),
        ({"requests": "x", "queries": {"requests": "y"}}, "belongs to what is counted"),
        ({"requests": "x", "labels": {"job": "y"}}, "write yours into the selectors"),
        ({"preset": "envoy", "labels": {"a-b": "y"}}, "expected the name of a label"),
        ({"preset": "nginx"}, "preset nginx: expected labels: {namespace: …}"),
        ({"preset": "nginx", "labels": {"namespace": ""}}, "since ingress-nginx calls a canary namespace-"),
        ({"preset": "envoy", "slots": {"red": "y"}}, "expected blue or green"),
        ({"preset": "envoy", "slots": {"blue": "{ap}"}}, "did you mean {app}?"),
        ({"preset": "envoy", "user": "me"}, "user and password go together"),
        ({"preset": "envoy", "key": "k"}, "expected the certificate"),
        ({"preset": "envoy", "interval": 0}, "greater than 0"),
    ],
)
def test_options_that_cannot_be_are_refused(options, said):
    with pytest.raises(ValueError) as caught:
        PrometheusOptions(**{"url": URL, **options})
    assert said in str(caught.value)
    assert "heim" not in str(caught.value)


def test_it_says_what_it_reads():
    reads = PrometheusOptions(url=URL, preset="istio", queries={"memory": "m"}, interval=30, lag=7).reads()
    assert reads.names == {"requests", "error_rate", "memory"}
    assert (reads.counts, reads.latency, reads.shortest, reads.lag) == (True, True, 30, 7)
    assert reads.knows("latency_p95")
    alone = PrometheusOptions(url=URL, queries={"memory": "m"}).reads()
    assert (alone.names, alone.counts, alone.latency) == ({"memory"}, False, False)
    assert not alone.knows("latency_p95")
    without = PrometheusOptions(url=URL, requests="x").reads()
    assert (without.names, without.counts) == ({"requests"}, False)


def test_labels_come_to_those_of_a_preset_or_go_before_them():
    options = PrometheusOptions(
        url=URL, preset="istio", labels={"reporter": "source", "cluster": "{environment}"}
    )
    assert options.selectors().requests == (
        'istio_requests_total{reporter="source", destination_workload="{slot}", cluster="{environment}"}',
    )


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_tells_the_slots_apart(name):
    given = {"url": URL, "preset": name, "labels": {"namespace": "prod"}}
    options = PrometheusOptions(**given)
    selectors = options.selectors()
    for texts in (selectors.requests, selectors.errors, selectors.latency):
        for text in texts:
            assert used(text) >= {"slot"}
            assert selector(text)[0]
    assert all("5" in text for text in selectors.errors)
    assert len({options.called(slot, preset=True) for slot in Slot}) == 2
    assert PrometheusOptions(**given, slots={"blue": "old"}).called(Slot.BLUE, preset=True) == "old"
