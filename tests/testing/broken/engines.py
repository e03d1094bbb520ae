"""Engines, broken in one place each: the embedded one, with a store, ears or a driving that is not right."""

from datetime import datetime, timedelta

from attrs import evolve

from tests.testing.broken.table import engine
from uno_core import Decision, Locked, Mark, StateError, Status
from uno_core.contracts.engine import Outcome
from uno_core.engine.attention import Ears
from uno_core.engine.port import EmbeddedEngine
from uno_core.errors import Nondeterminism
from uno_core.rules import without

FRESH = "after a crash no share grows on evidence of before: a fresh verdict comes first"


class Through:
    """Hands everything on to what it stands before."""

    def __init__(self, real, clock=None):
        self.real = real
        self.clock = clock

    def __getattr__(self, name):
        return getattr(self.real, name)


class Broken(EmbeddedEngine):
    """The embedded engine with a `Store`, a `Driving` or `Words` in the place of the right one."""

    Store = Through
    Driving = Through
    Words = Ears

    def driving(self, world, store, listener, hearing):
        store = self.Store(store, world.clock)
        return self.Driving(super().driving(world, store, listener, self.Words.listening))


class Relaxed(Through):
    """A store that takes another line in the place of one that is there."""

    def append(self, id, entry, *, lease=None):
        try:
            self.real.append(id, entry, lease=lease)
        except StateError:
            pass


def is_begun(entry, op):
    return entry.op == op and entry.mark is Mark.INTENT


# Undisturbed


@engine("test_a_release_serves_at_the_end", "nobody knows who drove")
class NobodyKnowsWhoDrove(Broken):
    class Store(Through):
        def create(self, record, *, lease=None):
            return self.real.create(evolve(record, driver=None), lease=lease)


@engine("test_a_release_serves_at_the_end", "how it ended is told and not kept")
class HowItEndedIsNotKept(Broken):
    class Store(Through):
        def update(self, id, *, exit_code=None, **changes):
            self.real.update(id, **changes)


@engine("test_a_release_serves_at_the_end", "every effect is done twice")
class EveryEffectIsDoneTwice(Broken):
    def driving(self, world, store, listener, hearing):
        class Twice(Through):
            def converge(self, slot, counts):
                self.real.converge(slot, counts)
                self.real.converge(slot, counts)

        return super().driving(evolve(world, workload=Twice(world.workload)), store, listener, hearing)


@engine("test_what_was_a_success_can_be_taken_back", "it is said to be back")
class ItIsSaidToBeBack(Broken):
    class Driving(Through):
        def rollback(self, order, id, why, *, take_over=False):
            return Outcome(deployment=id, status=Status.ROLLED_BACK, message=why, exit_code=3)


@engine("test_what_has_ended_does_not_go_on", "what has ended is begun once more")
class WhatHasEndedIsBegunOnceMore(Broken):
    class Store(Through):
        def get(self, id):
            return evolve(self.real.get(id), status=Status.IN_PROGRESS)


# Deaths


@engine("test_killed_at_every_step_it_goes_on", "the journal lags behind")
class TheJournalLagsBehind(Broken):
    class Store(Through):
        """Lines are kept until there are five, or the record changes; a death takes them along."""

        def __init__(self, *real):
            super().__init__(*real)
            self.lines = []

        def append(self, *line, **fence):
            self.lines.append((line, fence))
            if len(self.lines) >= 5:
                self.flush()

        def flush(self):
            for line, fence in self.lines:
                self.real.append(*line, **fence)
            self.lines = []

        def update(self, *arguments, **changes):
            self.flush()
            self.real.update(*arguments, **changes)


@engine("test_killed_at_every_step_it_goes_on", "who has died is not gone on from")
class WhoHasDiedIsNotGoneOnFrom(Broken):
    class Driving(Through):
        def resume(self, order, id, *, reassert=False):
            return self.real.rollback(order, id, "its driver died")


@engine("test_what_is_recorded_is_not_done_again", "what was begun is begun again")
class WhatWasBegunIsBegunAgain(Broken):
    class Store(Relaxed):
        def entries(self, id, run=None):
            return [e for e in self.real.entries(id, run) if e.mark is Mark.INTENT]


@engine("test_an_error_that_is_recorded_is_raised_again", "an error is no answer")
class AnErrorIsNoAnswer(Broken):
    class Store(Relaxed):
        def entries(self, id, run=None):
            return [e for e in self.real.entries(id, run) if e.error is None]


@engine("test_an_error_that_is_recorded_is_raised_again", "an error is answered with nothing")
class AnErrorIsAnsweredWithNothing(Broken):
    class Store(Through):
        def entries(self, id, run=None):
            return [evolve(e, error=None) for e in self.real.entries(id, run)]


def anew(op):
    """A store in which a wait that is looked up begins at this moment."""

    class Anew(Through):
        def entries(self, id, run=None):
            found = []
            for e in self.real.entries(id, run):
                if is_begun(e, op):
                    seconds = e.value["seconds" if op == "wait" else "timeout"]
                    until = self.clock.now() + timedelta(seconds=seconds)
                    e = evolve(e, value={**e.value, "until": until.isoformat()})  # noqa: PLW2901 - the same line
                found.append(e)
            return found

    return Anew


class Over(Relaxed):
    """A store in which a wait that was begun is over."""

    def over(self, entry):
        return True

    def entries(self, id, run=None):
        found = list(self.real.entries(id, run))
        over = [e for e in found if is_begun(e, "wait") and self.over(e)]
        return found + [evolve(e, mark=Mark.RESULT, value=None) for e in over]


@engine("test_a_wait_ends_when_it_would_have", "a wait is waited anew")
class AWaitIsWaitedAnew(Broken):
    Store = anew("wait")


@engine("test_a_wait_ends_when_it_would_have", "a wait that was begun is over")
class AWaitThatWasBegunIsOver(Broken):
    Store = Over


@engine("test_a_wait_that_ran_out_unwatched_asks_for_a_fresh_verdict", "the clock alone ends it")
class TheClockAloneEndsIt(Broken):
    class Store(Over):
        def over(self, entry):
            return datetime.fromisoformat(entry.value["until"]) <= self.clock.now()

    class Driving(Through):
        def resume(self, order, id, *, reassert=False):
            with without(FRESH):
                return self.real.resume(order, id)


@engine("test_no_share_grows_on_evidence_of_a_dead_driver", "one verdict is good for ever")
class OneVerdictIsGoodForEver(Broken):
    class Driving(Through):
        def resume(self, order, id, *, reassert=False):
            with without(FRESH):
                return self.real.resume(order, id)


@engine("test_a_gate_closes_when_it_would_have", "a gate is opened anew")
class AGateIsOpenedAnew(Broken):
    Store = anew("pause")


# The way back


@engine("test_an_abort_ends_a_wait", "words are heard at gates alone")
class WordsAreHeardAtGatesAlone(Broken):
    class Words(Ears):
        def check(self, *, gate=False):
            if gate:
                super().check(gate=True)

        def waiting(self, *, gate=False):
            return gate and super().waiting(gate=True)


@engine("test_an_abort_is_heard_that_was_said_while_nobody_drove", "who comes later hears nothing of before")
class WhoComesLaterHearsNothingOfBefore(Broken):
    class Store(Through):
        def __init__(self, real, clock):
            super().__init__(real, clock)
            self.since = clock.now()

        def signals(self, id, *, unanswered=True):
            return [s for s in self.real.signals(id, unanswered=unanswered) if s.at > self.since]


@engine(
    "test_killed_at_every_step_of_its_way_back_it_goes_on_going_back", "who died on the way back did nothing"
)
class WhoDiedOnTheWayBackDidNothing(Broken):
    class Store(Relaxed):
        def get(self, id):
            return evolve(self.real.get(id), status=Status.IN_PROGRESS)

        def entries(self, id, run=None):
            found = self.real.entries(id, run)
            return [e for e in found if e.run == (run or "deploy") and e.error is None]


@engine("test_a_rollback_that_was_begun_is_not_turned_forward", "to resume is to go forward")
class ToResumeIsToGoForward(Broken):
    class Driving(Through):
        def resume(self, order, id, *, reassert=False):
            with without("once a way back is recorded, nobody returns to the way forward"):
                return self.real.resume(order, id)


# Others


@engine("test_a_second_driver_is_refused", "whoever comes takes over")
class WhoeverComesTakesOver(Broken):
    class Store(Through):
        def acquire(self, key, owner, *, ttl, take_over=False):
            return self.real.acquire(key, owner, ttl=ttl, take_over=True)


@engine("test_a_second_driver_is_refused", "nobody is named")
class NobodyIsNamed(Broken):
    class Store(Through):
        def acquire(self, key, owner, **how):
            try:
                return self.real.acquire(key, owner, **how)
            except Locked:
                raise Locked("somebody is at work") from None


@engine("test_a_driver_that_was_taken_over_writes_nothing_more", "nobody asks whose the lock is")
class NobodyAsksWhoseTheLockIs(Broken):
    class Store(Through):
        def renew(self, lease, *, ttl):
            return lease

        def append(self, id, entry, *, lease=None):
            self.real.append(id, entry)

        def update(self, id, *, lease=None, **changes):
            self.real.update(id, **changes)


@engine("test_a_driver_that_was_taken_over_writes_nothing_more", "the journal is fenced, and not the world")
class TheJournalIsFencedAndNotTheWorld(Broken):
    class Store(Through):
        def renew(self, lease, *, ttl):
            return lease

        def append(self, id, entry, *, lease=None):
            if entry.run != "deploy":
                self.real.append(id, entry)

        def update(self, id, *, lease=None, **changes):
            pass


@engine("test_an_application_has_one_deployment_at_a_time", "what was left is forgotten")
class WhatWasLeftIsForgotten(Broken):
    class Store(Through):
        def list(self, **wanted):
            return [r for r in self.real.list(**wanted) if r.status.final]


# Another strategy


@engine("test_a_changed_strategy_stops_with_both_sides", "one side is shown")
class OneSideIsShown(Broken):
    class Driving(Through):
        def resume(self, order, id, *, reassert=False):
            try:
                return self.real.resume(order, id)
            except Nondeterminism as problem:
                raise Nondeterminism(problem.message, found=problem.found) from None


@engine("test_a_changed_strategy_stops_with_both_sides", "it goes back at once")
class ItGoesBackAtOnce(Broken):
    class Driving(Through):
        def resume(self, order, id, *, reassert=False):
            try:
                return self.real.resume(order, id)
            except Nondeterminism as problem:
                return self.real.rollback(order, id, str(problem))


@engine("test_a_changed_strategy_stops_with_both_sides", "what it asks for now is done")
class WhatItAsksForNowIsDone(Broken):
    class Store(Relaxed):
        def entries(self, id, run=None):
            return [e for e in self.real.entries(id, run) if e.op != "set_traffic"]


@engine("test_a_strategy_cannot_swallow_that_it_has_changed", "a strategy is asked what it makes of it")
class AStrategyIsAskedWhatItMakesOfIt(Broken):
    class Driving(Through):
        def resume(self, order, id, *, reassert=False):
            rule = "a strategy that was unwound does nothing more, whatever its `except` and `finally` try"
            with without(rule):
                return self.real.resume(order, id)


# Gates


@engine("test_a_promotion_before_the_gate_opens_it", "a word that comes early is dismissed")
class AWordThatComesEarlyIsDismissed(Broken):
    class Words(Ears):
        def check(self, *, gate=False):
            super().check(gate=gate)
            if not gate:
                for signal in self._signals():
                    self._store.answer(signal.id, "it is at no gate")


@engine("test_a_promotion_outlives_the_driver_that_heard_it", "a word is taken before its effect is recorded")
class AWordIsTakenBeforeItsEffectIsRecorded(Broken):
    class Words(Ears):
        def decision(self, since=None):
            for signal in self._signals():
                if signal.kind == "promote":
                    self._store.answer(signal.id, "promoted")
                    return Decision(promoted=True, by=signal.by, at=signal.at)
            return None
