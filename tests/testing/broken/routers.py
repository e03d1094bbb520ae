"""Routers, broken in one place each."""

from attrs import evolve

from tests.testing import doubles
from tests.testing.broken.table import router
from uno_core import Drift, Slot, Unsupported, whole


@router("test_nothing_is_routed_at_first", "a default is taken for a decision")
class ADefaultIsTakenForADecision(doubles.MemoryRouter):
    def __init__(self, clock):
        super().__init__(clock)
        self.split = self.before = whole(Slot.BLUE)


@router("test_a_write_is_held_and_comes_into_force", "it takes longer than is declared")
class ItTakesLongerThanIsDeclared(doubles.MemoryRouter):
    lag = 60.0


@router("test_a_write_is_held_and_comes_into_force", "what is read back is a cache")
class WhatIsReadBackIsACache(doubles.MemoryRouter):
    def observe(self):
        return evolve(super().observe(), split=self.in_force())


@router("test_a_write_is_held_and_comes_into_force", "the shares do not sum to 100")
class TheSharesDoNotSumTo100(doubles.MemoryRouter):
    def in_force(self):
        return {slot: percent / 2 for slot, percent in super().in_force().items()}


@router("test_a_write_returns_at_once", "it waits until the split is in force")
class ItWaitsUntilTheSplitIsInForce(doubles.MemoryRouter):
    def put(self, split):
        super().put(split)
        self.clock.sleep(30)


@router("test_observing_changes_nothing", "each look is another token")
class EachLookIsAnotherToken(doubles.MemoryRouter):
    def observe(self):
        self.version += 1
        return super().observe()


@router("test_shares_are_as_fine_as_declared", "tenths only, though hundredths are declared")
class TenthsOnlyThoughHundredthsAreDeclared(doubles.MemoryRouter):
    def put(self, split):
        super().put({slot: round(percent, -1) for slot, percent in split.items()})


@router("test_no_finer_share_is_made_up", "a share is held that the addresses cannot give")
class AShareIsHeldThatTheAddressesCannotGive(doubles.MemoryRouter):
    granularity = 0.001


@router("test_no_finer_share_is_made_up", "what is unsupported is written all the same")
class WhatIsUnsupportedIsWrittenAllTheSame(doubles.MemoryRouter):
    def write(self, split, expect):
        try:
            super().write(split, expect)
        except Unsupported:
            self.put(whole(Slot.GREEN))
            raise


@router("test_writing_the_same_again_changes_nothing", "the routing is taken away and put back")
class TheRoutingIsTakenAwayAndPutBack(doubles.MemoryRouter):
    def put(self, split):
        if dict(split) == self.split:
            self.before, self.since = {}, self.clock.monotonic()
        super().put(split)


@router("test_a_write_that_expects_what_is_there_goes_through", "a token is compared as an object")
class ATokenIsComparedAsAnObject(doubles.MemoryRouter):
    def write(self, split, expect):
        if expect is not None:
            raise Drift("it is another one")
        super().write(split, expect)


@router("test_a_write_that_expects_what_is_gone_is_drift", "the token is not looked at")
class TheTokenIsNotLookedAt(doubles.MemoryRouter):
    def write(self, split, expect):
        super().write(split, None)


@router("test_a_write_that_expects_what_is_gone_is_drift", "it is told, and written all the same")
class ItIsToldAndWrittenAllTheSame(doubles.MemoryRouter):
    def write(self, split, expect):
        super().write(split, None if expect != self.version else expect)
        if expect is not None and expect != self.version:
            raise Drift("somebody else wrote")


@router("test_the_routing_can_be_removed", "an empty split is no split")
class AnEmptySplitIsNoSplit(doubles.MemoryRouter):
    def put(self, split):
        if split:
            super().put(split)


@router("test_restore_puts_back_what_was_captured", "restore does nothing")
class RestoreDoesNothing(doubles.MemoryRouter):
    def restore(self, captured):
        pass


@router("test_restore_puts_back_what_was_captured", "captured is keyed by something that is no JSON")
class CapturedIsKeyedBySomethingThatIsNoJson(doubles.MemoryRouter):
    def observe(self):
        return evolve(super().observe(), captured={("split",): 1})


@router("test_restore_of_nothing_removes_the_routing", "nothing captured is nothing to do")
class NothingCapturedIsNothingToDo(doubles.MemoryRouter):
    def restore(self, captured):
        if captured:
            super().restore(captured)


VOUCHES = "test_it_vouches_for_a_slot_that_can_take_requests_and_no_other"


@router(VOUCHES, "it vouches for whatever there is")
class ItVouchesForWhateverThereIs(doubles.MemoryRouter):
    def unfit(self, slot):
        return ""


@router(VOUCHES, "it vouches for nobody")
class ItVouchesForNobody(doubles.MemoryRouter):
    def unfit(self, slot):
        return "it never looks"


@router("test_a_mark_stays_until_it_is_taken_away", "the next write drops it")
class TheNextWriteDropsIt(doubles.MemoryRouter):
    def put(self, split):
        super().put(split)
        self.kept["mark"] = None


@router("test_a_mark_stays_until_it_is_taken_away", "a second one is not taken")
class ASecondOneIsNotTaken(doubles.MemoryRouter):
    def mark(self, value):
        if value is None or self.kept["mark"] is None:
            super().mark(value)


@router("test_a_mark_stays_until_it_is_taken_away", "none is kept as an empty one")
class NoneIsKeptAsAnEmptyOne(doubles.MemoryRouter):
    def mark(self, value):
        super().mark(value or {})


@router("test_a_mark_leaves_the_routing_alone", "it writes the split that is in it")
class ItWritesTheSplitThatIsInIt(doubles.MemoryRouter):
    def mark(self, value):
        super().mark(value)
        self.put({Slot(slot): percent for slot, percent in (value or {}).get("split", {}).items()})


@router("test_a_mark_is_seen_by_another_process", "it is kept by this process alone")
class ItIsKeptByThisProcessAlone(doubles.MemoryRouter):
    def mark(self, value):
        self.kept = {"mark": value}
