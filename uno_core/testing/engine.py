"""What an engine must do: survive its own end, do nothing twice, and never drive beside another driver."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count

import pytest

from uno_core.contracts.engine import EXIT_CODES, Outcome
from uno_core.contracts.state import StateStore
from uno_core.engine.port import Engine
from uno_core.errors import ConfigError, Locked, LockLost, Nondeterminism
from uno_core.journal.memory import MemoryStore
from uno_core.model import Status
from uno_core.testing.engine_play import (
    CAREFUL,
    FIRST,
    GATE,
    LOOK,
    SECOND,
    WAIT,
    WHOLE,
    Play,
    once,
)

MOST = 500
"""Points of a deployment at the most: one that never ends must not hang the tests."""


class EngineContract:
    """What every engine must do::

        class TestEngine(EngineContract):
            @pytest.fixture
            def engine(self, services):
                return MyEngine(MyOptions(), services)

    Everything is played on the simulated platform in virtual time, and what is done is counted there.
    A driver dies by a Crash, a BaseException that comes out of a call to the platform or to the store,
    and out of every later call of that driver. Then a new `Driving` is made on the same world and store.

    May override: `store`, where it is to be another one than memory; `die`, where more than the stack
    of a driver is to go when it dies; `settle`, where workers elsewhere have to come to rest before
    anybody looks at what was done.
    """

    @pytest.fixture
    def engine(self) -> Engine:
        """The engine, as its plugin makes it."""
        raise NotImplementedError("override the fixture `engine`: return your engine")

    @pytest.fixture
    def store(self) -> StateStore:
        """The state store, with nothing in it."""
        return MemoryStore()

    @pytest.fixture
    def die(self) -> Callable[[StateStore], None]:
        """Called with the store of a driver that died, or that does not answer and is taken over."""
        return lambda _: None

    @pytest.fixture
    def settle(self) -> Callable[[], None]:
        """Called whenever a driver has ended or died."""
        return lambda: None

    @pytest.fixture
    def plays(
        self,
        engine: Engine,
        store: StateStore,
        die: Callable[[StateStore], None],
        settle: Callable[[], None],
    ) -> Callable[[], Play]:
        """Each is an application of its own, on the same store."""
        numbers = count(1)
        return lambda: Play(engine, store, f"shop{next(numbers)}", die, settle)

    @pytest.fixture
    def play(self, plays: Callable[[], Play]) -> Play:
        return plays()

    # Undisturbed

    def test_a_release_serves_at_the_end(self, play: Play) -> None:
        play.promote_always()
        outcome = play.deploy()
        assert outcome is not None
        assert (outcome.status, outcome.exit_code) == (Status.SUCCESSFUL, 0), outcome.message
        record = play.record
        assert outcome.deployment == record.id
        assert (record.status, record.exit_code) == (Status.SUCCESSFUL, 0), "as the store has it"
        assert record.driver is not None, "the store knows who drove"
        assert record.version == "v2"
        assert play.serves("v2")
        assert play.shares == [FIRST, SECOND, WHOLE]
        assert play.counts == [("green", 4)]
        assert play.done == ["green"]

    def test_what_was_a_success_can_be_taken_back(self, play: Play) -> None:
        play.promote_always()
        play.deploy()
        self._assert_back(play, play.rollback())
        with pytest.raises(ConfigError):
            play.resume()

    def test_what_has_ended_does_not_go_on(self, play: Play) -> None:
        play.promote_always()
        play.deploy()
        before = play.written()
        with pytest.raises(ConfigError):
            play.resume()
        assert play.written() == before

    # Deaths

    def test_killed_at_every_step_it_goes_on(self, plays: Callable[[], Play]) -> None:
        for point in range(MOST):
            play = plays()
            play.promote_always()
            life = play.life(dies_at=point)
            play.deploy(life)
            if not life.dead:
                assert point > 6, "a driver writes to the platform and to the store, and can die there"
                return
            at = f"died at point {point}, {life.points[-1]}"
            play.to_the_end()
            assert play.ended(Status.SUCCESSFUL), f"{at}: {play.told}"
            assert play.serves("v2"), at
            # Only what was in flight is done again.
            assert once(play.shares) == [FIRST, SECOND, WHOLE], f"{at}: {play.splits}"
            assert once(play.counts) == [("green", 4)], f"{at}: {play.counts}"
            again = len(play.shares) - 3 + len(play.counts) - 1 + len(play.done) - 1
            assert 0 <= again <= 1, f"{at}: {play.splits}, {play.counts}, {play.done}"
        pytest.fail(f"it does not end within {MOST} points")

    def test_what_is_recorded_is_not_done_again(self, play: Play) -> None:
        play.killed_in_the_wait()
        play.say("promote")
        assert play.shares == [FIRST]
        play.to_the_end()
        assert play.ended(Status.SUCCESSFUL), play.told
        assert play.shares == [FIRST, SECOND, WHOLE]
        assert play.counts == [("green", 4)]
        assert play.done == ["green"]

    def test_an_error_that_is_recorded_is_raised_again(self, play: Play) -> None:
        play.killed_in_the_wait(fails=True)
        play.say("promote")
        play.to_the_end()
        assert play.ended(Status.SUCCESSFUL), play.told
        assert play.shares == [FIRST, CAREFUL, WHOLE], "the strategy heard of its error once more"
        assert play.done == ["green"], "what failed is recorded, and is not tried again"

    def test_a_wait_ends_when_it_would_have(self, plays: Callable[[], Play]) -> None:
        whole, killed = plays(), plays()
        life = whole.life()
        whole.at_the_first_share(life, lambda: whole.say("promote"))
        whole.deploy(life)
        killed.killed_in_the_wait(WAIT / 4)
        killed.say("promote")
        killed.clock.sleep(WAIT / 4)
        killed.resume()
        assert killed.ended(Status.SUCCESSFUL), killed.told
        took = killed.first_lasted
        assert took >= WAIT, f"the share grew after {took:g} s, within the wait"
        assert took <= whole.first_lasted + LOOK, f"the share grew after {took:g} s: it was waited anew"

    def test_a_wait_that_ran_out_unwatched_asks_for_a_fresh_verdict(self, plays: Callable[[], Play]) -> None:
        for bad in (True, False):
            play = plays().killed_in_the_wait()
            play.say("promote")
            play.clock.sleep(WAIT * 2)
            if bad:
                play.spoil()
            resumed = play.clock.monotonic()
            outcome = play.resume()
            if bad:
                assert play.shares[:2] == [FIRST, 0.0], "it went bad while nobody watched, and grew"
                self._assert_back(play, outcome)
            else:
                assert play.ended(Status.SUCCESSFUL), play.told
                assert play.splits[1][0] > resumed, "it grew on what was seen before the driver died"

    def test_no_share_grows_on_evidence_of_a_dead_driver(self, play: Play) -> None:
        life = play.life()
        play.at_the_first_share(life, lambda: life.later(WAIT * 2, life.die))
        play.deploy(life)
        assert life.dead, "nobody promoted: it waits at its gate, and looks at the platform meanwhile"
        assert play.ended(Status.PAUSED), "it says that it waits for a person"
        play.spoil()
        play.say("promote")
        outcome = play.resume()
        assert not play.grows(since=1), f"it went bad while nobody watched, and grew: {play.splits}"
        self._assert_back(play, outcome)

    def test_a_gate_closes_when_it_would_have(self, play: Play) -> None:
        life = play.life()
        play.at_the_first_share(life, lambda: life.later(WAIT * 2, life.die))
        play.deploy(life)
        assert life.dead, "nobody promoted: it waits at its gate, and looks at the platform meanwhile"
        play.clock.sleep(GATE / 2)
        outcome = play.resume()
        assert play.shares[:2] == [FIRST, 0.0], "nobody came, and that means the way back"
        took = play.first_lasted
        assert GATE <= took <= GATE + WAIT + 2 * LOOK, f"the gate was open for {took - WAIT:g} s"
        self._assert_back(play, outcome)

    # The way back

    def test_an_abort_ends_a_wait(self, play: Play) -> None:
        life = play.life()
        play.at_the_first_share(life, lambda: play.say_after(WAIT / 4, "abort"))
        outcome = play.deploy(life)
        assert play.shares[:2] == [FIRST, 0.0]
        took = play.first_lasted
        assert WAIT / 4 <= took <= WAIT / 4 + LOOK, f"the traffic went back after {took:g} s"
        self._assert_back(play, outcome)
        assert not play.store.signals(play.id), "every word is answered"

    def test_an_abort_is_heard_that_was_said_while_nobody_drove(self, play: Play) -> None:
        play.killed_in_the_wait()
        word = play.say("abort")
        outcome = play.resume()
        assert not play.grows(since=1)
        self._assert_back(play, outcome)
        assert play.answered(word), "whoever said it is answered"

    def test_killed_at_every_step_of_its_way_back_it_goes_on_going_back(
        self, plays: Callable[[], Play]
    ) -> None:
        for point in range(MOST):
            play = plays()
            life = play.life()
            play.at_the_first_share(
                life, partial(life.later, WAIT / 4, partial(play.say_and_die, "abort", life, point))
            )
            play.deploy(life)
            play.promote_always()
            at = f"died at point {point} from the abort on, {life.points[-1]}"
            play.to_the_end()
            assert play.ended(Status.ROLLED_BACK), f"{at}: {play.told}"
            assert play.serves("v1"), at
            assert not play.grows(since=1), f"{at}: it was turned forward, {play.splits}"
            if not life.dead:
                assert point > 2, "a driver writes on its way back, and can die there"
                return
        pytest.fail(f"it does not end within {MOST} points")

    def test_a_rollback_that_was_begun_is_not_turned_forward(self, plays: Callable[[], Play]) -> None:
        begun = 0
        for point in range(MOST):
            play = plays().killed_in_the_wait()
            life = play.life(dies_at=point)
            play.rollback(life)
            if not life.dead:
                assert begun, "it says that it goes back, before it has done so"
                return
            if play.ended(Status.ROLLBACK_IN_PROGRESS):
                begun += 1
                play.promote_always()
                at = f"died at point {point}, {life.points[-1]}"
                play.resume()
                assert play.ended(Status.ROLLED_BACK), f"{at}: {play.told}"
                assert play.serves("v1"), at
                assert not play.grows(since=1), f"{at}: it was turned forward, {play.splits}"
        pytest.fail(f"it does not end within {MOST} points")

    # Others

    def test_a_second_driver_is_refused(self, play: Play) -> None:
        life = play.life()
        refused: list[str] = []
        wrote: list[bool] = []

        def another() -> None:
            # Asserted later: what is raised here is raised within the first driver.
            before = play.written()
            for drive in (play.deploy, play.resume, play.rollback):
                try:
                    drive()
                except Locked as problem:
                    refused.append(str(problem))
            wrote.append(play.written() != before)

        play.at_the_first_share(life, lambda: life.later(WAIT / 4, another))
        play.promote_always()
        play.deploy(life)
        assert len(refused) == 3, "neither a deployment nor a resume nor a rollback may begin"
        assert wrote == [False], "who was refused wrote something"
        owner = play.record.driver
        assert owner is not None
        for words in refused:
            assert owner.host in words, "it names who drives"
            assert str(owner.pid) in words, "it names who drives"
        assert play.ended(Status.SUCCESSFUL), "whoever was there first went on"
        assert play.shares == [FIRST, SECOND, WHOLE]

    def test_a_driver_that_was_taken_over_writes_nothing_more(
        self, play: Play, die: Callable[[StateStore], None]
    ) -> None:
        life = play.life()
        kept: list[tuple[Outcome | None, object, object]] = []

        def thief() -> None:
            die(play.store)
            kept.append((play.rollback(take_over=True), play.written(), list(life.changed)))

        play.at_the_first_share(life, lambda: life.later(WAIT / 4, thief))
        play.promote_always()
        try:
            outcome = play.deploy(life)
        except LockLost:
            outcome = None
        ((taken_over, written, changed),) = kept
        assert play.written() == written, "it wrote to the journal after it was taken over"
        assert life.changed == changed, "it wrote to the platform after it was taken over"
        assert outcome is None or outcome.status is Status.LOST, outcome.message
        self._assert_back(play, taken_over)

    def test_an_application_has_one_deployment_at_a_time(self, play: Play) -> None:
        play.killed_in_the_wait()
        before, first = play.written(), play.id
        with pytest.raises(Locked) as caught:
            play.deploy()
        assert first in str(caught.value), "it names the one that is under way"
        assert [record.id for record in play.records] == [first]
        assert play.written() == before
        play.say("promote")
        play.resume()
        assert play.ended(Status.SUCCESSFUL), "it went on all the same"

    # Another strategy

    def test_a_changed_strategy_stops_with_both_sides(self, play: Play) -> None:
        play.killed_in_the_wait()
        before = play.written()
        with pytest.raises(Nondeterminism) as caught:
            play.resume(first=25.0)
        assert "25" in caught.value.found, "what it asks for now"
        assert "10" in caught.value.expected, "what is recorded"
        assert play.written() == before
        self._assert_back(play, play.rollback(first=25.0))

    def test_a_strategy_cannot_swallow_that_it_has_changed(self, play: Play) -> None:
        play.killed_in_the_wait()
        play.say("promote")
        before = play.written()
        with pytest.raises(Nondeterminism):
            play.resume(first=25.0, stubborn=True)
        assert play.written() == before

    # Gates

    def test_a_promotion_before_the_gate_opens_it(self, play: Play) -> None:
        life = play.life()
        play.at_the_first_share(life, lambda: play.say("promote"))
        play.deploy(life)
        assert play.ended(Status.SUCCESSFUL), play.told
        took = play.first_lasted
        assert took < WAIT + GATE / 2, f"the gate opened after {took:g} s"
        assert not play.store.signals(play.id), "every word is answered"

    def test_a_promotion_outlives_the_driver_that_heard_it(self, plays: Callable[[], Play]) -> None:
        for point in range(MOST):
            play = plays()
            life = play.life()
            play.at_the_first_share(life, partial(play.say_and_die, "promote", life, point))
            play.deploy(life)
            at = f"died at point {point} from the promotion on, {life.points[-1]}"
            play.to_the_end()
            assert play.ended(Status.SUCCESSFUL), f"{at}: {play.told}"
            if not life.dead:
                return
        pytest.fail(f"it does not end within {MOST} points")

    def _assert_back(self, play: Play, outcome: Outcome | None) -> None:
        assert outcome is not None
        assert outcome.status is Status.ROLLED_BACK, outcome.message
        assert outcome.exit_code == EXIT_CODES[Status.ROLLED_BACK]
        assert play.ended(Status.ROLLED_BACK), "as the store has it"
        assert play.serves("v1")
