"""Windows: what is counted between two looks, what is left out, and what goes on from wait to wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from attrs import define, evolve, field
from evidence import BAD, GOOD, NOTHING, Answering, Watching, metric, source
from hypothesis import given
from hypothesis import strategies as st

from uno_core import Counters, Figures, Finding, NoData, Slot, Verdict
from uno_core.analysis.before import Before
from uno_core.analysis.evidence import Evidence
from uno_core.analysis.measuring import Metric
from uno_core.analysis.source import kept_windows
from uno_core.contracts.metrics import Query
from uno_core.model import Bounds
from uno_core.simulation.clock import Hangs, VirtualClock


@define
class Counting:
    """A provider without history: cumulative counts, growing by so many requests a second."""

    clock: VirtualClock
    rate: float = 100.0
    errors: float = 0.0
    silent: frozenset[Slot] = frozenset()
    series: str = "one"
    values: Mapping[str, float] = field(factory=dict)
    fails: BaseException | None = None

    def sample(self, query: Query) -> Counters | NoData:
        if self.fails:
            raise self.fails
        if query.slot in self.silent:
            return NoData("nothing runs there")
        seconds = self.clock.monotonic()
        figures = Figures(requests=self.rate * seconds, errors=self.errors * seconds, values=self.values)
        return Counters(at=self.clock.now(), series=self.series, figures=figures)


@define
class Listening:
    """A judge that keeps the table that it was given, and passes it."""

    table: Sequence = ()

    def judge(self, windows, bounds):
        self.table = list(windows)
        return [Finding(verdict=Verdict.PASS, metric=name, reason="fine") for name in bounds]


def sampled(*, compares=False, share=None, stable=Slot.BLUE, counting=None, memo=None, same=False, **more):
    clock = counting.clock if counting else VirtualClock()
    counting = counting or Counting(clock, **more)
    one = source(clock, counting, history=False, stable=stable, share=share)
    judge = Listening()
    made = Metric(name="compared", bounds=Bounds(), source=one, judge=judge, compares=compares)
    evidence = Evidence([one], [made], clock)
    evidence.recall(memo, same=same)
    evidence.look()
    return Watching(clock, evidence), judge, counting


def test_the_first_sample_begins_the_first_window():
    watched, judge, _ = sampled()
    assert not judge.table
    watched.look()
    (window,) = judge.table
    assert (window.end - window.start).total_seconds() == 5.0
    assert window.candidate.requests == window.stable.requests == 500.0


def test_a_source_that_began_anew_counts_from_zero():
    watched, judge, counting = sampled()
    watched.look()
    counting.series, counting.rate = "two", 1.0
    watched.look()
    assert judge.table[-1].candidate.requests == 10.0


def test_what_was_counted_while_nothing_could_be_read_is_not_lost():
    watched, judge, counting = sampled()
    watched.look()
    counting.fails = OSError("down")
    watched.look(2)
    counting.fails = None
    watched.look(3)
    assert sum(w.candidate.requests for w in judge.table) == 100.0 * watched.clock.monotonic()


def test_a_gap_of_one_slot_is_a_gap_of_both():
    watched, judge, counting = sampled()
    watched.look()
    counting.silent = frozenset({Slot.GREEN})
    watched.look(2)
    counting.silent = frozenset()
    watched.look()
    last = judge.table[-1]
    assert (last.end - last.start).total_seconds() == 15.0
    assert last.candidate.requests == last.stable.requests == 1500.0


def test_without_the_stable_slot_there_is_nothing_to_compare_with():
    watched, judge, _ = sampled(silent=frozenset({Slot.BLUE}))
    watched.look()
    assert judge.table[-1].stable is None


def test_the_first_window_after_a_change_of_the_split_counts_for_nothing():
    watched, judge, _ = sampled(compares=True, share=10.0)
    watched.look()
    assert not judge.table
    watched.look()
    assert [w.share for w in judge.table] == [10.0]
    kept = kept_windows(watched.evidence.memo())["played"]
    assert [seen.skipped for seen in kept] == [True, False]


def test_the_table_goes_on_over_the_steps_and_skips_at_each():
    first, judge, counting = sampled(compares=True, share=10.0)
    first.look(3)
    second, judge, _ = sampled(compares=True, share=25.0, counting=counting, memo=first.evidence.memo())
    second.look(3)
    assert [w.share for w in judge.table] == [10.0, 10.0, 25.0, 25.0]


def test_the_same_split_is_no_change():
    first, judge, counting = sampled(compares=True, share=10.0)
    first.look(3)
    second, judge, _ = sampled(compares=True, share=10.0, counting=counting, memo=first.evidence.memo())
    second.look(2)
    assert len(judge.table) == 4


def test_a_judge_of_bounds_is_given_the_windows_of_its_own_wait():
    first, judge, counting = sampled(share=10.0)
    first.look(3)
    second, judge, _ = sampled(share=25.0, counting=counting, memo=first.evidence.memo())
    second.look(3)
    assert [w.share for w in judge.table] == [25.0, 25.0]


def test_a_wait_that_goes_on_in_another_process_keeps_its_windows():
    first, judge, counting = sampled(share=10.0)
    first.look(3)
    second, judge, _ = sampled(share=10.0, counting=counting, memo=first.evidence.memo(), same=True)
    second.look(2)
    assert len(judge.table) == 4


def test_failures_of_before_a_crash_count_on():
    clock = VirtualClock()
    one = source(clock, Answering([BAD]))
    watched = Watching(clock, Evidence([one], [metric(one, failure_limit=2, interval=5.0)], clock))
    watched.look(2)
    other = source(clock, Answering([BAD]))
    evidence = Evidence([other], [metric(other, failure_limit=2, interval=5.0)], clock)
    evidence.recall(watched.evidence.memo(), same=True)
    assert Watching(clock, evidence).look().verdict is Verdict.FAIL


def test_readings_of_now_need_no_sample_of_before_and_use_up_no_skip():
    clock = VirtualClock()
    counting = Counting(clock, values={"cpu": 0.5})
    one = source(clock, counting, history=False, share=10.0)
    judge = Listening()
    made = [
        metric(one, name="cpu", max=1.0),
        Metric(name="compared", bounds=Bounds(), source=one, judge=judge, compares=True),
    ]
    watched = Watching(clock, Evidence([one], made, clock))
    assert watched.evidence.look().findings[0].verdict is Verdict.PASS
    watched.look(2)
    kept = kept_windows(watched.evidence.memo())["played"]
    assert [seen.skipped for seen in kept if seen.window.candidate.requests] == [True, False]


def test_a_bound_that_compares_holds_all_of_the_traffic_against_the_steps_before():
    """At 100 % the old release has no traffic any more: what it did until then is what there is."""
    ratio = {"max": 1.5, "compare": "ratio", "name": "error_rate"}

    def step(clock, provider, share, memo):
        one = source(clock, provider, stable=Slot.BLUE, share=share)
        evidence = Evidence([one], [metric(one, **ratio)], clock)
        evidence.recall(memo, same=False)
        return Watching(clock, evidence)

    clock = VirtualClock()
    stable = Figures(requests=1000.0, errors=10.0, values={"cpu": 0.1})
    idle = Figures(values={"cpu": 0.1})
    first = step(clock, Answering([Figures(requests=1000.0, errors=12.0)], stable=[stable]), 50.0, None)
    assert first.look(3).verdict is Verdict.PASS
    for errors, verdict in ((12.0, Verdict.PASS), (20.0, Verdict.FAIL)):
        answers = Answering([Figures(requests=1000.0, errors=errors)], stable=[idle])
        last = step(clock, answers, 100.0, first.evidence.memo())
        assert last.look(3).verdict is verdict


# Before the switch


def before(counting, seconds=60.0):
    query = Query(application="shop", environment="prod", slot=Slot.BLUE)
    made = Before(counting, query, counting.clock, step=5.0)
    counting.clock.sleep(seconds)
    return made


def test_what_the_stable_slot_did_before_is_evened_out_over_its_windows():
    counting = Counting(VirtualClock(), errors=2.0)
    windows = before(counting).windows(Slot.GREEN)
    assert len(windows) == 12
    assert all(w.baseline and w.slot is Slot.GREEN and not w.candidate.requests for w in windows)
    assert sum(w.stable.requests for w in windows) == 6000.0
    assert sum(w.stable.errors for w in windows) == 120.0
    assert all(one.end == two.start for one, two in pairwise(windows))


def test_nobody_waits_for_what_was_before():
    counting = Counting(VirtualClock())
    made = before(counting)
    counting.fails = Hangs()
    assert made.windows(Slot.GREEN) == ()
    assert counting.clock.monotonic() <= 61.0


def test_a_provider_that_fails_tells_nothing_of_before():
    counting = Counting(VirtualClock(), fails=OSError("down"))
    assert before(counting).windows(Slot.GREEN) == ()


def test_a_provider_with_history_is_asked_for_what_was_before():
    clock = VirtualClock()
    provider = Answering([GOOD])
    one = source(clock, provider, stable=Slot.BLUE, before=3)
    judge = Listening()
    made = Metric(name="compared", bounds=Bounds(), source=one, judge=judge, compares=True)
    Watching(clock, Evidence([one], [made], clock)).look()
    assert [w.baseline for w in judge.table] == [True, True, True, False]
    assert judge.table[2].end == judge.table[3].start


# Shares


def split(seen, beside, share, **more):
    clock = VirtualClock()
    answers = [Figures(requests=seen, **more)]
    provider = Answering(answers, stable=[Figures(requests=beside)])
    one = source(clock, provider, stable=Slot.BLUE, share=share)
    return Watching(clock, Evidence([one], [metric(one)], clock)).look(4)


def test_a_share_that_is_not_the_splits_is_inconclusive_and_named():
    """Three long connections of gRPC: 10 % of the split, and 30 % of the requests."""
    analysis = split(300.0, 700.0, 10.0)
    assert analysis.verdict is Verdict.INCONCLUSIVE
    found = next(f for f in analysis.findings if f.metric == "share")
    assert "30.0% of 3,000 requests came to it, not 10.0%" in found.reason
    assert found.numbers["split"] == 0.1


def test_a_candidate_that_gets_nothing_is_named():
    analysis = split(0.0, 1000.0, 10.0)
    assert "0.0% of 3,000 requests came to it" in analysis.reason


def test_chance_is_no_other_share():
    assert (
        split(7.0, 93.0, 10.0).verdict is not Verdict.INCONCLUSIVE
        or "share" not in split(7.0, 93.0, 10.0).reason
    )
    assert all(f.metric != "share" for f in split(110.0, 890.0, 10.0).findings)


def test_a_bad_release_fails_whatever_its_share():
    assert split(300.0, 700.0, 10.0, errors=300.0).verdict is Verdict.FAIL


def test_all_of_the_traffic_is_its_share():
    assert all(f.metric != "share" for f in split(1000.0, 3.0, 100.0).findings)


def test_where_only_what_nobody_asked_for_would_judge_the_share_counts_for_nothing():
    clock = VirtualClock()
    provider = Answering([Figures(requests=300.0)], stable=[Figures(requests=700.0)])
    one = source(clock, provider, stable=Slot.BLUE, share=10.0)
    quiet = Metric(name="c", bounds=Bounds(), source=one, judge=Listening(), compares=True, quiet=True)
    analysis = Watching(clock, Evidence([one], [quiet], clock)).look(4)
    assert analysis.verdict is Verdict.PASS
    assert next(f for f in analysis.findings if f.metric == "share").advisory


def test_a_judge_by_default_is_silent_with_too_little_data():
    class Unsure:
        def judge(self, windows, bounds):
            return [Finding(verdict=Verdict.INCONCLUSIVE, metric=m, reason="too little") for m in bounds]

    clock = VirtualClock()
    one = source(clock, Answering([GOOD]))
    quiet = Metric(name="c", bounds=Bounds(), source=one, judge=Unsure(), compares=True, quiet=True)
    assert Watching(clock, Evidence([one], [metric(one), quiet], clock)).look().verdict is Verdict.PASS
    asked = evolve(quiet, quiet=False)
    assert (
        Watching(clock, Evidence([one], [metric(one), asked], clock)).look().verdict is Verdict.INCONCLUSIVE
    )


# Whatever comes


ANSWERS = st.one_of(
    st.just(NOTHING),
    st.just(OSError("down")),
    st.builds(
        Figures,
        requests=st.floats(0, 1e6) | st.just(float("nan")),
        errors=st.floats(0, 1e3) | st.just(float("inf")),
    ),
)


@given(answers=st.lists(ANSWERS, min_size=1, max_size=8))
def test_no_pass_without_a_window_and_no_verdict_depends_on_the_process(answers):
    """Whatever a provider answers: a PASS has windows behind it, and another driver comes to the same."""
    clock = VirtualClock()
    one = source(clock, Answering(answers))
    watched = Watching(clock, Evidence([one], [metric(one)], clock))
    analysis = watched.look(len(answers) * 2)
    if analysis.verdict is Verdict.PASS:
        assert any(w.candidate.requests for w in watched.evidence.windows)
    other = source(clock, Answering(answers))
    evidence = Evidence([other], [metric(other)], clock)
    evidence.recall(watched.evidence.memo(), same=True)
    if analysis.verdict in (Verdict.PASS, Verdict.FAIL):
        assert evidence.verdict().verdict is analysis.verdict
