"""Each protective rule is needed: without it the schedule that stands beside it does harm."""

import pytest

from tests.exploration import scenarios
from tests.exploration.subjects import ALL
from uno_core.cli import main  # noqa: F401 - so that every module with a rule is imported
from uno_core.rules import RULES, without
from uno_core.simulation.exploration import parse

SCHEDULES = {
    "a wait that ran out unwatched ends with a fresh verdict": "canary on cas: 37 crash-bad",
    "after a crash no share grows on evidence of before: a fresh verdict comes first": (
        "canary on cas: 47 crash-bad"
    ),
    "a watched wait ends with a verdict, not with the clock": "unheard on cas: nothing",
    "a release with a FAIL verdict is never promoted": "deaf on cas: 0 bad",
    "whoever lost the lock writes nothing more": "blue-green on cas: 7 stolen",
    "a split that somebody else wrote stops the deployment, and is not overwritten": (
        "canary on cas: 2 foreign"
    ),
    "what uno itself asked for without an answer is not taken for somebody else's": (
        "cautious on cas: 21 fails-late"
    ),
    "a slot keeps the ready instances that its share needs": "emptying on cas: nothing",
    "a slot with a share of the traffic is not emptied": "retiring on cas: nothing",
    "no slot gets a share that its ready instances cannot carry": "eager on cas: nothing",
    "success means that the release was seen to serve, whatever the strategy says": "lying on cas: nothing",
    "what fails after promotion takes nothing back": "clumsy on cas: nothing",
    "a strategy that was unwound does nothing more, whatever its `except` and `finally` try": (
        "hostile on cas: 0 bad"
    ),
    "forward, a different write to the same object waits until an unanswered one cannot land": (
        "canary on horizon: 25 late"
    ),
    "a conditional write is made even where the world looks right, so that an unanswered one fails": (
        "cautious on cas: 21 late, 26 fails"
    ),
    "the way back writes even where the world looks right, so that an unanswered write fails": (
        "canary on cas: 26 late, 27 crash-back"
    ),
    "the way back stays on watch until no unanswered write can land any more": (
        "canary on horizon: 25 late, 26 crash-back"
    ),
    "what a dead driver may have sent is taken for something that may still land": (
        "canary on horizon: 25 late, 26 crash"
    ),
    "after the hook that forbids it nothing is taken back": "forbidding on cas: 0 bad",
    "a hook that a dead driver left running is waited for, and never runs beside itself": (
        "hooked on cas: 116 crash"
    ),
    "once a way back is recorded, nobody returns to the way forward": (
        "canary on cas: 60 crash-back, 61 crash"
    ),
}
"""The shortest schedules that were found, by `nox -s explore -- --without RULE`."""

SCENARIOS = {
    "what is captured to go back to comes from a settled world only": scenarios.begun_from_an_unsettled_world,
    "nobody slips in between a deployment and the one that supersedes it": scenarios.slipped_in_between,
    "the way back from what serves well starts and checks the old release before it switches": (
        scenarios.gone_back_to_a_release_that_is_ill
    ),
}
"""What no single deployment of one driver can show."""


def harm(rule):
    if rule in SCENARIOS:
        return SCENARIOS[rule]()
    return parse(SCHEDULES[rule], ALL).play()


def test_every_rule_has_a_schedule():
    assert {*SCHEDULES, *SCENARIOS} == set(RULES)


@pytest.mark.parametrize("rule", [*SCHEDULES, *SCENARIOS])
def test_without_the_rule_harm_is_done(rule):
    assert harm(rule) == []
    with without(rule):
        assert harm(rule) != [], f"this shows no harm any more: {SCHEDULES.get(rule, 'the scenario')}"
