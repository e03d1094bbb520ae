"""A canary that was rolled back, as the journal tells it, with words of others that are no friends."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve

from uno_core import (
    Analysis,
    Figures,
    Finding,
    Moment,
    Record,
    Seen,
    Signal,
    Slot,
    Status,
    Story,
    Told,
    Verdict,
    Window,
)

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
EDGES = (0.05, 0.1, 0.2, math.inf)


def at(seconds):
    return START + timedelta(seconds=seconds)


def figures(requests, errors, *counts):
    return Figures(
        requests=float(requests), errors=float(errors), latency=dict(zip(EDGES, counts, strict=False))
    )


def window(number, candidate, stable, **more):
    return Window(
        start=at(10 * number),
        end=at(10 * number + 10),
        slot=Slot.GREEN,
        candidate=candidate,
        stable=stable,
        **more,
    )


def told(seq, times, op, arguments, value=None, *, run="deploy", error=None):
    """times: when it began, and how long it took in seconds; None where there is no answer."""
    begun, took = times
    return Told(
        run=run,
        seq=seq,
        attempt=1,
        op=op,
        arguments=arguments,
        begun=at(begun),
        ended=None if took is None else at(begun + took),
        value=value,
        error=error,
    )


def calls():
    yield told(0, (0, 0), "step", {"title": "start the new release"})
    counts = [{"version": "v2", "count": 2}]
    yield told(1, (0, 4.2), "converge", {"slot": "green", "counts": counts})
    yield told(2, (5, 1), "check_health", {"slot": "green"}, {"verdict": "pass", "reason": "200 OK"})
    yield told(3, (6, 0), "step", {"title": "a first share"})
    yield told(4, (6, 4), "set_traffic", {"split": {"blue": 90.0, "green": 10.0}})
    finding = {"verdict": "fail", "metric": "sequential", "reason": "five times as many errors"}
    found = {"verdict": "fail", "findings": [finding]}
    yield told(5, (10, 60), "wait", {"seconds": 300.0, "watch": {"slot": "green"}}, found)
    yield told(0, (70, 1), "put_traffic_back", {}, {"blue": 100.0, "green": 0.0}, run="rollback 1")
    refused = {"kind": "PlatformError", "message": "the old instances are gone", "found": "404 Not Found"}
    yield told(1, (71, 2), "call", {"method": "drain"}, run="rollback 1", error=refused)
    yield told(2, (74, None), "wait", {"seconds": 90.0, "watch": None}, run="rollback 1")


def seen():
    before = window(0, figures(0, 0), figures(4500, 9), baseline=True)
    skipped = window(1, figures(250, 250), figures(4500, 9))
    rows = [
        window(number, figures(500, errors, 300, 100, 100, 0), figures(4500, 9, 4000, 450, 50, 0))
        for number, errors in enumerate((5, 25, 50, 75), start=2)
    ]
    silent = window(6, figures(0, 0), figures(4500, 9, 4000, 450, 50, 0))
    last = window(7, figures(500, 100, 300, 100, 100, 0), figures(4500, 9, 4000, 450, 50, 0))
    return (Seen(before), Seen(skipped, skipped=True), *map(Seen, (*rows, silent, last)))


def made():
    log_es = (0.4, 1.2, 2.9, 5.2)
    progress = tuple(
        Moment(
            at=at(10 * number + 10),
            finding=Finding(
                verdict=Verdict.INCONCLUSIVE,
                metric="sequential",
                reason="",
                numbers={"log_e": log_e, "limit": 4.61},
            ),
        )
        for number, log_e in enumerate(log_es, start=2)
    )
    final = Finding(
        verdict=Verdict.FAIL,
        metric="sequential",
        reason="sequential: 7.75% of 2,000 requests failed, 0.2% of 18,000 of the old release: errors",
        numbers={"log_e": 5.2, "limit": 4.61},
    )
    advisory = Finding(verdict=Verdict.PASS, metric="p99", reason="p99: 80 ms", numbers={}, advisory=True)
    return Story(
        record=Record(
            id="shop-prod-7",
            application="shop",
            environment="prod",
            strategy="canary",
            version="v2",
            status=Status.ROLLED_BACK,
            params={
                "initial": {"slots": {"blue": {"instances": [{"release": {"version": "v1"}}]}}},
                "origin": {"by": "ann", "host": "runner-3", "commit": "abc1234"},
                "reason": "the March release",
            },
            exit_code=3,
            created=START,
            updated=at(164),
        ),
        stable=Slot.BLUE,
        calls=tuple(calls()),
        signals=(
            Signal(
                id=1, kind="pause", payload={"reason": "what is this?"}, by="bob", at=at(40), answer="held"
            ),
            Signal(id=2, kind="resume", payload={}, by="bob", at=at(50), answer=""),
        ),
        seen={"metrics": seen(), "other": seen()[:3]},
        progress=progress,
        evidence=Analysis(verdict=Verdict.FAIL, findings=(final, advisory)),
        why=f"rolled back: {final.reason}",
    )


def renaming(story):
    """The same, with a version and words that somebody else chose."""

    def make(text):
        calls = [
            evolve(call, arguments={"title": text}) if call.op == "step" else call for call in story.calls
        ]
        return evolve(
            story,
            record=evolve(story.record, version=text, params={**story.record.params, "reason": text}),
            calls=calls,
            signals=[evolve(story.signals[0], payload={"reason": text}, by=text)],
            why=text,
        )

    return make


@pytest.fixture
def story():
    return made()


@pytest.fixture
def renamed(story):
    return renaming(story)


@pytest.fixture(scope="session")
def story_once():
    """The same, for the many examples of one test."""
    return renaming(made())
