"""Workloads, and what both halves have in common, broken in one place each."""

import random

from attrs import evolve

from tests.testing import doubles
from tests.testing.broken.table import platforms, stepping, workload
from uno_core import PlatformError, Release, Slot
from uno_core.wire import counts_from_json


@platforms("test_preparing_twice_is_preparing_once", "the second preparation finds the first in its way")
class TheSecondPreparationFindsTheFirstInItsWay(doubles.MemoryPlatform):
    prepared = False

    def prepare(self):
        if self.prepared:
            raise PlatformError("the address is in use")
        self.prepared = True


@platforms("test_waiting_for_a_change_ends", "it waits for a change, and not for the timeout")
class ItWaitsForAChangeAndNotForTheTimeout(doubles.MemoryPlatform):
    def wait_for_change(self, timeout):
        self.services.clock.sleep(100)


@platforms("test_closing_twice_is_closing_once", "what was closed cannot be closed")
class WhatWasClosedCannotBeClosed(doubles.MemoryPlatform):
    closed = False

    def close(self):
        assert not self.closed
        self.closed = True


@workload("test_nothing_runs_at_first", "what another application left is taken for ours")
class WhatAnotherApplicationLeftIsTakenForOurs(doubles.MemoryWorkload):
    def __init__(self, clock):
        super().__init__(clock)
        self.converge(Slot.BLUE, {Release("1.0.0"): 1})


@workload("test_nothing_runs_at_first", "no size is known before something runs")
class NoSizeIsKnownBeforeSomethingRuns(doubles.MemoryWorkload):
    def observe(self):
        return evolve(super().observe(), size=0)


@workload("test_resolving_identifies_the_artifact", "a version is taken for an identity")
class AVersionIsTakenForAnIdentity(doubles.MemoryWorkload):
    def resolve(self, release):
        return evolve(super().resolve(release), artifact="")


@workload("test_resolving_identifies_the_artifact", "each look gives another identity")
class EachLookGivesAnotherIdentity(doubles.MemoryWorkload):
    def resolve(self, release):
        return evolve(super().resolve(release), config=str(random.random()))


@workload("test_resolving_writes_nothing", "resolving starts a first instance")
class ResolvingStartsAFirstInstance(doubles.MemoryWorkload):
    def resolve(self, release):
        found = super().resolve(release)
        if release.version == "2.0.0":
            self.converge(Slot.GREEN, {found: 1})
        return found


@workload("test_a_missing_artifact_is_a_config_error", "what is missing shows at the deployment only")
class WhatIsMissingShowsAtTheDeploymentOnly(doubles.MemoryWorkload):
    versions = (*doubles.MemoryWorkload.versions, "0.0.0-missing")


@workload("test_only_uno_errors_are_raised", "an error of the SDK crosses the contract")
class AnErrorOfTheSdkCrossesTheContract(doubles.MemoryWorkload):
    def converge(self, slot, counts):
        super().converge(slot, counts)
        _ = [self.versions.index(release.version) for release in counts]


@workload("test_only_uno_errors_are_raised", "what does not exist is reported as ready")
class WhatDoesNotExistIsReportedAsReady(doubles.MemoryWorkload):
    def reason(self, row):
        return super().reason(row) if row.release.version in self.versions else ""


@workload("test_converge_brings_up_what_was_asked_for", "one is missing")
class OneIsMissing(doubles.MemoryWorkload):
    def converge(self, slot, counts):
        super().converge(slot, {r: max(n - 1, 0) for r, n in counts.items()})


@workload("test_converge_brings_up_what_was_asked_for", "an id is that of the release, not of the instance")
class AnIdIsThatOfTheReleaseNotOfTheInstance(doubles.MemoryWorkload):
    def start(self, release):
        return evolve(super().start(release), id=release.version)


@workload("test_converge_returns_at_once", "it waits until the instances are ready")
class ItWaitsUntilTheInstancesAreReady(doubles.MemoryWorkload):
    def converge(self, slot, counts):
        super().converge(slot, counts)
        self.clock.sleep(30)


class Restarting(doubles.MemoryWorkload):
    def pick(self, rows, count):
        return []


workload("test_converge_again_changes_nothing", "asking again starts everything anew")(Restarting)
workload("test_growing_replaces_nothing", "growing starts everything anew")(Restarting)
workload("test_shrinking_keeps_some_of_those_that_run", "shrinking starts everything anew")(Restarting)
workload("test_restore_of_what_is_there_changes_nothing", "restoring starts everything anew")(Restarting)


@workload("test_nothing_asked_for_empties_the_slot", "the last instance stays")
class TheLastInstanceStays(doubles.MemoryWorkload):
    def converge(self, slot, counts):
        before = self.memory.rows[slot]
        super().converge(slot, counts)
        self.memory.rows[slot] = self.memory.rows[slot] or before[:1]


@workload("test_a_slot_changes_its_release", "the instance is told a new version, and runs the old one")
class TheInstanceIsToldANewVersionAndRunsTheOldOne(doubles.MemoryWorkload):
    def converge(self, slot, counts):
        ids = [row.id for row in self.memory.rows[slot]]
        super().converge(slot, counts)
        for row, known in zip(self.memory.rows[slot], ids, strict=False):
            row.id = known


@workload("test_slots_are_independent", "both slots are one")
class BothSlotsAreOne(doubles.MemoryWorkload):
    def converge(self, slot, counts):
        super().converge(slot, counts)
        self.memory.rows[slot.other] = []


@workload("test_slots_are_independent", "emptying one slot restarts the other")
class EmptyingOneSlotRestartsTheOther(doubles.MemoryWorkload):
    def converge(self, slot, counts):
        super().converge(slot, counts)
        if not counts:
            self.memory.rows[slot.other] = [self.start(r.release) for r in self.memory.rows[slot.other]]


@workload("test_a_slot_holds_two_releases", "the last release named wins, though `mixed` is declared")
class TheLastReleaseNamedWinsThoughMixedIsDeclared(doubles.MemoryWorkload):
    def converge(self, slot, counts):
        super().converge(slot, dict(list(counts.items())[-1:]))


@workload("test_those_that_are_not_ready_go_first", "the oldest go first")
class TheOldestGoFirst(doubles.MemoryWorkload):
    def pick(self, rows, count):
        return rows[max(len(rows) - count, 0) :]


@workload("test_what_cannot_start_is_reported", "unready, and nobody knows why")
class UnreadyAndNobodyKnowsWhy(doubles.MemoryWorkload):
    def observe(self):
        state = super().observe()
        slots = {
            slot: evolve(seen, instances=tuple(evolve(i, reason="") for i in seen.instances))
            for slot, seen in state.slots.items()
        }
        return evolve(state, slots=slots)


@workload("test_what_cannot_start_is_reported", "whatever was started counts as ready")
class WhateverWasStartedCountsAsReady(doubles.MemoryWorkload):
    def reason(self, row):
        return ""


@workload("test_restore_brings_back_what_was_captured", "restore does nothing")
class RestoreDoesNothing(doubles.MemoryWorkload):
    def restore(self, captured, slot):
        pass


@workload("test_restore_brings_back_what_was_captured", "captured is an object, and no JSON")
class CapturedIsAnObjectAndNoJson(doubles.MemoryWorkload):
    def capture(self):
        return self.memory


@workload("test_restore_of_a_slot_leaves_the_other_alone", "both slots are restored")
class BothSlotsAreRestored(doubles.MemoryWorkload):
    def restore(self, captured, slot):
        for each in Slot:
            super().restore(captured, each)


@workload("test_restore_of_nothing_removes_what_came", "what was not captured stays")
class WhatWasNotCapturedStays(doubles.MemoryWorkload):
    def restore(self, captured, slot):
        if counts_from_json(captured[slot.value]):
            super().restore(captured, slot)


@workload("test_what_is_held_stays_and_letting_go_changes_nothing", "letting go is taken for the end")
class LettingGoIsTakenForTheEnd(doubles.MemoryWorkload):
    def let_go(self, slot):
        self.converge(slot, {})


@workload("test_less_than_is_held_is_made_up", "what is held is what there is")
class WhatIsHeldIsWhatThereIs(doubles.MemoryWorkload):
    def hold(self, slot, count):
        pass


@workload("test_a_slot_retires_by_itself", "nobody remembers")
class NobodyRemembers(doubles.MemoryWorkload):
    def retire(self, slot, after):
        pass


@workload("test_a_slot_in_use_again_does_not_retire", "the obligation outlives its reason")
class TheObligationOutlivesItsReason(doubles.MemoryWorkload):
    def converge(self, slot, counts):
        at = self.retiring.get(slot)
        super().converge(slot, counts)
        if at is not None and counts:
            self.retiring[slot] = at


@workload("test_looking_changes_nothing", "a look fills the other slot too")
class ALookFillsTheOtherSlotToo(doubles.MemoryWorkload):
    def observe(self):
        if not self.memory.wanted[Slot.GREEN]:
            self.converge(Slot.GREEN, self.memory.wanted[Slot.BLUE])
        return super().observe()


@stepping("test_a_look_is_no_step", "whoever looks has it go on")
class WhoeverLooksHasItGoOn(doubles.SteppingWorkload):
    def observe(self):
        for slot in Slot:
            self.step(slot)
        return super().observe()


@stepping("test_a_step_returns_at_once", "a step waits for what it began")
class AStepWaitsForWhatItBegan(doubles.SteppingWorkload):
    def step(self, slot):
        super().step(slot)
        self.clock.sleep(30)


@stepping("test_a_step_with_nothing_to_do_changes_nothing", "each step begins anew")
class EachStepBeginsAnew(doubles.SteppingWorkload):
    def step(self, slot):
        if all(self.ready(row) for row in self.memory.rows[slot]):
            self.memory.rows[slot] = [self.start(row.release) for row in self.memory.rows[slot]]
        super().step(slot)
