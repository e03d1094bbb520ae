"""Every instant of every strategy that we ship, on every kind of platform: no fault does harm.

Here every single fault is tried, and a sample of the pairs; `nox -s explore` tries the rest.
"""

from itertools import islice

import pytest

from tests.exploration.subjects import ALL, BAD, CANARY, HOOKED, OURS
from uno_core import Bounds, ConfigError, Status
from uno_core.simulation.exploration import (
    PLACES,
    WORKERS,
    Schedule,
    drawn,
    first_harm,
    fits,
    parse,
    singles,
    unanswered_pairs,
)
from uno_core.simulation.stage import Stage
from uno_strategy_canary.options import CanaryOptions
from uno_strategy_canary.strategy import Canary

EVERY = 17
"""Of the unanswered pairs every so manyth is played here: a prime, so that it meets all kinds."""

COMBINATIONS = [
    pytest.param(subject, place, id=f"{subject.name} on {place.name}")
    for subject, place in (
        *((subject, place) for subject in OURS for place in PLACES),
        *((subject, place) for subject in HOOKED for place in PLACES[:3]),
        *((subject, WORKERS) for subject in OURS if subject.name in ("rolling", "recreate")),
    )
]


@pytest.mark.parametrize(("subject", "place"), COMBINATIONS)
def test_no_single_fault_does_harm(subject, place, record_property):
    assert fits(subject, place)
    played, found = first_harm(singles(subject, place))
    record_property("schedules", played)
    assert found is None, str(found)
    assert played > 300


@pytest.mark.parametrize(("subject", "place"), COMBINATIONS)
def test_no_unanswered_write_with_a_second_fault_does_harm(subject, place):
    _, found = first_harm(islice(unanswered_pairs(subject, place), 0, None, EVERY))
    assert found is None, str(found)


@pytest.mark.parametrize("place", PLACES[:3], ids=lambda place: place.name)
def test_no_drawn_pair_does_harm(place):
    for subject in OURS:
        _, found = first_harm(islice(drawn(subject, place, seed=1), 60))
        assert found is None, str(found)


@pytest.mark.parametrize("subject", BAD, ids=lambda subject: subject.name)
def test_a_bad_strategy_does_no_harm_either(subject):
    assert fits(subject, PLACES[0])
    _, found = first_harm(islice(singles(subject, PLACES[0]), 0, None, 3))
    assert found is None, str(found)


FOUND = [
    "canary on cas: 64 away, 75 crash-bad, 94 abort",
    "blue-green on horizon: 14 away, 43 away, 50 foreign",
    "first on cas: 10 late, 11 foreign",
    "first on cas: 10 late, 11 stolen",
    "first on cas: 29 bad, 47 crash-after",
    "first on cas: 41 away, 43 crash-after, 47 abort",
    "canary on horizon: 38 old-crashes, 47 abort, 69 throttled",
    "rolling on horizon: 102 stolen, 104 blind",
    "canary on cas: 47 crash-bad",
]
"""Schedules that did harm once. Their points may have moved since; they cost nothing."""


@pytest.mark.parametrize("text", FOUND)
def test_what_did_harm_once_does_none_now(text):
    assert parse(text, ALL).play() == []


def test_a_schedule_is_written_and_read_again():
    schedule = parse("canary on slots: 17 late, 19 crash", ALL)
    assert str(schedule) == "canary on slots: 17 late, 19 crash"
    assert str(parse("canary on slots: nothing", ALL)) == "canary on slots: nothing"


@pytest.mark.parametrize("text", ["canary", "canary on mars: nothing", "nobody on cas: nothing"])
def test_what_is_no_schedule_is_refused_with_the_names_that_are(text):
    with pytest.raises(ConfigError, match="strategies: blue-green"):
        parse(text, ALL)


def test_the_same_schedule_does_the_same():
    schedule = parse("canary on horizon: 17 late, 30 slow, 40 crash", ALL)
    assert schedule.points() == schedule.points()


def test_a_harm_is_shortened_to_the_faults_that_do_it():
    from uno_core.rules import without

    schedule = parse("canary on cas: 2 foreign, 20 throttled, 90 blind", ALL)
    with without("a split that somebody else wrote stops the deployment, and is not overwritten"):
        _, found = first_harm(iter([schedule]))
    assert found is not None
    assert str(found.schedule) == "canary on cas: 2 foreign"
    assert "nox -s explore -- --replay 'canary on cas: 2 foreign'" in str(found)


def test_a_canary_of_six_hours_takes_no_time():
    hours = CanaryOptions(
        increments=(25.0, 50.0, 75.0, 100.0),
        increment_interval=4320.0,
        metrics_threshold={"error_rate": Bounds(max=0.05)},
    )
    stage = Stage()
    stage.live("v1")
    assert stage.deploy(Canary(), "v2", hours).status is Status.SUCCESSFUL
    assert stage.clock.monotonic() > 6 * 3600


def test_an_undisturbed_deployment_violates_nothing():
    assert Schedule(subject=OURS[1], place=PLACES[0]).play() == []
    assert OURS[1].options is CANARY
