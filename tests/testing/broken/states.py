"""State stores, broken in one place each."""

import time

from attrs import evolve

from tests.testing.broken.table import store
from uno_core import Lease, Locked, LockLost, StateError, Status
from uno_core.journal.memory import MemoryStore

GAP = 0.05
"""Long enough for all who ask at once to have asked."""


@store("test_it_is_had_at_once", "times are naive")
class TimesAreNaive(MemoryStore):
    def acquire(self, key, owner, **how):
        lease = super().acquire(key, owner, **how)
        return evolve(lease, since=lease.since.replace(tzinfo=None))


@store("test_it_is_had_at_once", "only its owner sees it")
class OnlyItsOwnerSeesIt(MemoryStore):
    asked = False

    def acquire(self, key, owner, **how):
        self.asked = True
        return super().acquire(key, owner, **how)

    def holder(self, key):
        return super().holder(key) if self.asked else None


@store("test_what_nobody_took_is_nobodys", "somebody is made up")
class SomebodyIsMadeUp(MemoryStore):
    def holder(self, key):
        return Lease(key=key, owner=None, epoch=0, since=self._clock.now())


@store("test_a_second_owner_is_told_whose_it_is", "nobody is named")
class NobodyIsNamed(MemoryStore):
    def acquire(self, key, owner, **how):
        try:
            return super().acquire(key, owner, **how)
        except Locked:
            raise Locked("somebody has it") from None


@store("test_a_second_owner_is_told_whose_it_is", "whoever asks has it")
class WhoeverAsksHasIt(MemoryStore):
    def acquire(self, key, owner, *, ttl, take_over=False):
        return super().acquire(key, owner, ttl=ttl, take_over=True)


@store("test_each_key_has_an_owner_of_its_own", "there is one lock for all")
class OneLockForAll(MemoryStore):
    def acquire(self, key, owner, **how):
        return super().acquire("all", owner, **how)

    def holder(self, key):
        return super().holder("all")


@store("test_epochs_grow", "what was given up is forgotten")
class WhatWasGivenUpIsForgotten(MemoryStore):
    def release(self, lease):
        self._leases.pop(lease.key, None)


@store("test_renewing_changes_no_owner", "each renewal is an epoch")
class EachRenewalIsAnEpoch(MemoryStore):
    def renew(self, lease, *, ttl):
        renewed = super().renew(lease, ttl=ttl)
        self._leases[lease.key] = evolve(renewed, epoch=renewed.epoch + 1)
        return self._leases[lease.key]


@store("test_renewed_it_lasts", "a renewal prolongs nothing")
class ARenewalProlongsNothing(MemoryStore):
    def renew(self, lease, *, ttl):
        self._check(lease)
        return lease


@store("test_given_up_it_is_free", "nothing is given up")
class NothingIsGivenUp(MemoryStore):
    def release(self, lease):
        pass


class Revived(MemoryStore):
    """Renews whatever it is asked for, unless somebody else has it."""

    def renew(self, lease, *, ttl):
        if self._leases[lease.key].epoch != lease.epoch:
            raise LockLost("somebody else has it")
        self._leases[lease.key] = evolve(lease, expires=self._end(ttl))
        return self._leases[lease.key]


store("test_given_up_it_cannot_be_renewed", "what was given up revives")(Revived)
store("test_expired_it_cannot_be_renewed", "what expired revives")(Revived)


@store("test_giving_up_twice_is_giving_up_once", "the new owner's is given up")
class TheNewOwnersIsGivenUp(MemoryStore):
    def release(self, lease):
        held = self._leases[lease.key]
        super().release(evolve(lease, epoch=held.epoch))


@store("test_taken_over_it_is_lost", "the former owner takes it back by renewing")
class TheFormerOwnerTakesItBack(MemoryStore):
    def renew(self, lease, *, ttl):
        self._leases[lease.key] = lease
        return lease


@store("test_taken_over_it_is_lost", "the epoch stays")
class TheEpochStays(MemoryStore):
    def acquire(self, key, owner, *, ttl, take_over=False):
        lease = super().acquire(key, owner, ttl=ttl, take_over=take_over)
        self._leases[key] = evolve(lease, epoch=1) if take_over else lease
        return self._leases[key]


@store("test_what_is_free_can_be_taken_over", "there must be somebody to take it from")
class ThereMustBeSomebody(MemoryStore):
    def acquire(self, key, owner, *, ttl, take_over=False):
        if take_over and self.holder(key) is None:
            raise StateError("there is nobody")
        return super().acquire(key, owner, ttl=ttl, take_over=take_over)


@store("test_expired_it_is_free", "a lease never ends")
class ALeaseNeverEnds(MemoryStore):
    def holder(self, key):
        return self._leases.get(key)


@store("test_of_many_at_once_one_has_it", "asking and taking are two")
class AskingAndTakingAreTwo(MemoryStore):
    def acquire(self, key, owner, *, ttl, take_over=False):
        if self.holder(key) is not None:
            raise Locked("somebody has it")
        time.sleep(GAP)
        return super().acquire(key, owner, ttl=ttl, take_over=True)


@store("test_nothing_is_known_of_what_never_was", "what never was is an error")
class WhatNeverWasIsAnError(MemoryStore):
    def get(self, id):
        return self._records[id]


@store("test_a_deployment_comes_back_whole", "the facts are lost")
class TheFactsAreLost(MemoryStore):
    def get(self, id):
        found = super().get(id)
        return found and evolve(found, params={})


@store("test_a_deployment_comes_back_whole", "there never is anything")
class ThereNeverIsAnything(MemoryStore):
    def exists(self):
        return False


class Numbering(MemoryStore):
    def create(self, record, *, lease=None):
        made = super().create(record, lease=lease)
        number = sum(self.counts(made, other) for other in self._records.values())
        del self._records[made.id]
        made = evolve(made, id=f"{made.application}-{made.environment}-{number}")
        self._records[made.id] = made
        return made


@store("test_ids_count_up", "all environments are counted together")
class AllAreCountedTogether(Numbering):
    def counts(self, made, other):
        return True


@store("test_no_id_is_given_twice", "names that join alike are counted apart")
class NamesThatJoinAlike(Numbering):
    def counts(self, made, other):
        return (made.application, made.environment) == (other.application, other.environment)


@store("test_a_second_deployment_is_refused", "any number may be under way")
class AnyNumberMayBeUnderWay(MemoryStore):
    def _refuse_second(self, application, environment):
        pass


@store("test_a_second_deployment_is_refused", "what pauses is over")
class WhatPausesIsOver(MemoryStore):
    def _refuse_second(self, application, environment):
        if any(r.status is Status.PAUSED for r in self._records.values()):
            return
        super()._refuse_second(application, environment)


@store("test_of_many_at_once_one_begins", "looking and beginning are two")
class LookingAndBeginningAreTwo(MemoryStore):
    def create(self, record, *, lease=None):
        super()._refuse_second(record.application, record.environment)
        time.sleep(GAP)
        return super().create(record, lease=lease)

    def _refuse_second(self, application, environment):
        pass


@store("test_an_update_leaves_the_rest", "no message is an empty one")
class NoMessageIsAnEmptyOne(MemoryStore):
    def update(self, id, *, message="", **changes):
        super().update(id, message=message, **changes)


@store("test_an_update_leaves_the_rest", "an exit code of 0 is none")
class AnExitCodeOfZeroIsNone(MemoryStore):
    def update(self, id, *, exit_code=None, **changes):
        super().update(id, exit_code=exit_code or None, **changes)


@store("test_an_update_leaves_the_rest", "what was seen once is seen for ever")
class WhatWasSeenOnce(MemoryStore):
    seen = None

    def get(self, id):
        self.seen = self.seen or super().get(id)
        return self.seen


@store("test_what_ended_comes_back_alone", "what ended comes back at any time")
class WhatEndedComesBack(MemoryStore):
    def update(self, id, *, status=None, **changes):
        if status is not None:
            self._records[id] = evolve(self._records[id], status=Status.PENDING)
        super().update(id, status=status, **changes)


@store("test_what_ended_comes_back_alone", "half of a refused change is made")
class HalfOfARefusedChange(MemoryStore):
    def update(self, id, *, status=None, message=None, **changes):
        super().update(id, message=message, **changes)
        super().update(id, status=status, **changes)


@store("test_the_newest_comes_first", "the clock decides")
class TheClockDecides(MemoryStore):
    def list(self, **wanted):
        return sorted(super().list(**wanted), key=lambda r: r.created, reverse=True)


@store("test_a_list_can_be_narrowed", "the limit comes before the rest")
class TheLimitComesFirst(MemoryStore):
    def list(self, *, application=None, environment=None, limit=1000):
        found = super().list(limit=limit)
        wanted = [r for r in found if application in (None, r.application)]
        return [r for r in wanted if environment in (None, r.environment)]


@store("test_every_json_comes_back", "an empty value is none")
class AnEmptyValueIsNone(MemoryStore):
    def append(self, id, entry, *, lease=None):
        super().append(id, evolve(entry, value=entry.value or None), lease=lease)


@store("test_every_json_comes_back", "a tuple is another line than the list that it was kept as")
class ATupleIsAnotherLine(MemoryStore):
    def append(self, id, entry, *, lease=None):
        if self.entries(id) and isinstance(entry.value, tuple):
            raise StateError("another line")
        super().append(id, entry, lease=lease)


@store("test_lines_keep_their_order", "lines are sorted by their numbers")
class LinesAreSorted(MemoryStore):
    def entries(self, id, run=None):
        return sorted(super().entries(id, run), key=lambda line: line.seq)


@store("test_lines_keep_their_order", "all runs are one")
class AllRunsAreOne(MemoryStore):
    def entries(self, id, run=None):
        return super().entries(id)


@store("test_the_same_line_twice_is_one", "no line may come twice")
class NoLineMayComeTwice(MemoryStore):
    def append(self, id, entry, *, lease=None):
        if entry in self.entries(id):
            raise StateError("it is there")
        super().append(id, entry, lease=lease)


@store("test_another_line_in_its_place_is_refused", "the first line wins in silence")
class TheFirstLineWins(MemoryStore):
    def append(self, id, entry, *, lease=None):
        try:
            super().append(id, entry, lease=lease)
        except StateError:
            pass


@store("test_another_line_in_its_place_is_refused", "only the last lines are looked at")
class OnlyTheLastLines(TheFirstLineWins):
    def append(self, id, entry, *, lease=None):
        if entry.seq > 2:
            MemoryStore.append(self, id, entry, lease=lease)
        else:
            super().append(id, entry, lease=lease)


@store("test_many_write_at_once", "who reads, adds and writes back overwrites others")
class WhoWritesBackOverwrites(MemoryStore):
    def append(self, id, entry, *, lease=None):
        lines = dict(self._entries.get(id, {}))
        time.sleep(0.001)
        self._entries[id] = {**lines, (entry.run, entry.seq, entry.mark.value, entry.attempt): entry}


@store("test_one_object_serves_many_threads", "a busy connection is refused")
class ABusyConnection(MemoryStore):
    busy = False

    def append(self, id, entry, *, lease=None):
        if self.busy:
            raise StateError("another statement is under way")
        self.busy = True
        time.sleep(0.001)
        super().append(id, entry, lease=lease)
        self.busy = False


@store("test_words_are_heard_and_answered", "everybody hears every word")
class EverybodyHearsEveryWord(MemoryStore):
    def signals(self, id, *, unanswered=True):
        return [s for _, s in self._signals if not (unanswered and s.answer)]


@store("test_words_are_heard_and_answered", "what was answered is gone")
class WhatWasAnsweredIsGone(MemoryStore):
    def signals(self, id, *, unanswered=True):
        return super().signals(id, unanswered=True)


@store("test_the_last_checkpoint_counts", "the first one counts")
class TheFirstOneCounts(MemoryStore):
    def checkpoint(self, id, value, *, at):
        self._checkpoints.setdefault(id, value)


@store("test_the_owner_writes", "a renewed lease is another one")
class ARenewedLeaseIsAnother(MemoryStore):
    def _check(self, lease):
        if lease is not None and self._leases.get(lease.key) is not lease:
            raise LockLost("it is another one")


@store("test_whoever_was_taken_over_writes_nothing", "nobody asks for the epoch")
class NobodyAsksForTheEpoch(MemoryStore):
    def _check(self, lease):
        pass


@store("test_whoever_was_taken_over_writes_nothing", "the lease is looked at after the write")
class LookedAtAfterTheWrite(MemoryStore):
    def append(self, id, entry, *, lease=None):
        super().append(id, entry)
        self._check(lease)


@store("test_whoever_was_taken_over_writes_nothing", "a deployment is begun without a look at the lease")
class BegunWithoutALook(MemoryStore):
    def create(self, record, *, lease=None):
        return super().create(record)


@store("test_whose_lease_expired_writes_nothing", "what expired has no epoch")
class WhatExpiredHasNoEpoch(MemoryStore):
    def acquire(self, key, owner, **how):
        former = self._leases.get(key)
        lease = super().acquire(key, owner, **how)
        if former and former.expires <= self._clock.now():
            self._leases[key] = lease = evolve(lease, epoch=former.epoch)
        return lease


@store("test_closing_loses_nothing", "only what is open is kept")
class OnlyWhatIsOpenIsKept(MemoryStore):
    def close(self):
        self._entries.clear()
