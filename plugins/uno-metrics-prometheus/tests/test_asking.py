"""What is asked of a Prometheus, and single values."""

import re

import pytest
from answers import SPAN, by_query, matrix, of, told, vector
from attrs import evolve

from uno_core import Figures, NoData, Slot

pytest_plugins = ["uno_core.testing.fixtures"]


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
