"""What a state store must do."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve

from uno_core.contracts.state import Entry, Lease, Lock, Mark, Record, StateStore
from uno_core.errors import Locked, LockLost, StateError
from uno_core.model import Json, Status
from uno_core.testing.lock import KEY, LockContract, at_once, owner

DAY = datetime(2025, 3, 1, 12, tzinfo=UTC)


class StateStoreContract(LockContract):
    """What every state store must do::

        class TestStore(StateStoreContract):
            @pytest.fixture
            def open(self, services, server):
                opened = []

                def another():
                    opened.append(MyStore(MyOptions(url=server.url), services))
                    return opened[-1]

                yield another
                for store in opened:
                    store.close()

    Nothing is kept there at first. See LockContract for what may be overridden.
    """

    @pytest.fixture
    def store(self, open: Callable[[], StateStore]) -> StateStore:
        """The store as one machine has it."""
        return open()

    @pytest.fixture
    def elsewhere(self, open: Callable[[], StateStore]) -> StateStore:
        """The same as another machine has it."""
        return open()

    def test_nothing_is_known_of_what_never_was(self, store: StateStore) -> None:
        assert store.get("shop-testing-1") is None
        assert list(store.list()) == []
        assert list(store.entries("shop-testing-1")) == []
        assert list(store.signals("shop-testing-1")) == []
        assert store.last_checkpoint("shop-testing-1") is None

    def test_a_deployment_comes_back_whole(self, store: StateStore, elsewhere: StateStore) -> None:
        whole = record(
            message="it's «fine»\nso far",
            params={"steps": [1, 2.5, {"pause": None}], "release": {"version": "1.2.0"}},
            plugins={"uno-core": "0.1.0"},
            driver=owner(1),
            exit_code=0,
        )
        made = store.create(whole)
        assert made == evolve(whole, id=made.id)
        for one in (store, elsewhere):
            assert one.get(made.id) == made
            assert one.exists()

    def test_ids_count_up(self, store: StateStore) -> None:
        ids: list[str] = []
        for environment in ("testing", "testing", "live"):
            ids.append(store.create(record(environment=environment)).id)
            store.update(ids[-1], at=DAY, status=Status.SUCCESSFUL)
        assert ids == ["shop-testing-1", "shop-testing-2", "shop-live-1"]

    def test_no_id_is_given_twice(self, store: StateStore) -> None:
        ids = [
            store.create(record(application=application, environment=environment)).id
            for application, environment in (("shop", "eu-live"), ("shop-eu", "live"))
        ]
        assert len(set(ids)) == 2, "`shop` in `eu-live` and `shop-eu` in `live` make one name"

    def test_a_second_deployment_is_refused(self, store: StateStore, elsewhere: StateStore) -> None:
        first = store.create(record(driver=owner(1)))
        for status in Status:
            store.update(first.id, at=DAY, status=status)
            if status.final:
                continue
            with pytest.raises(Locked) as caught:
                elsewhere.create(record())
            assert first.id in str(caught.value)
        assert [one.id for one in store.list()] == [first.id]
        elsewhere.create(record(environment="live"))
        elsewhere.create(record())

    def test_of_many_at_once_one_begins(self, open: Callable[[], StateStore]) -> None:
        stores = [open() for _ in range(self.many)]
        begun = [one for one in at_once([_begin(store) for store in stores]) if one is not None]
        assert len(begun) == 1, f"{len(begun)} of {self.many} are under way"
        assert [one.id for one in stores[0].list()] == [begun[0].id]

    def test_an_update_leaves_the_rest(self, store: StateStore, elsewhere: StateStore) -> None:
        made = store.create(record(message="begun", driver=owner(1)))
        later = DAY + timedelta(minutes=5)
        changes: Sequence[dict[str, Any]] = (
            {"status": Status.PAUSED},
            {"message": "waits"},
            {"message": ""},
            {"driver": owner(2)},
            {"status": Status.FAILED, "exit_code": 0},
            {},
        )
        for change in changes:
            store.update(made.id, at=later, **change)
            made = evolve(made, updated=later, **change)
            assert elsewhere.get(made.id) == made

    def test_what_ended_comes_back_alone(self, store: StateStore, elsewhere: StateStore) -> None:
        first = store.create(record())
        store.update(first.id, at=DAY, status=Status.SUCCESSFUL)
        second = elsewhere.create(record())
        with pytest.raises(Locked) as caught:
            store.update(first.id, at=DAY, status=Status.ROLLBACK_IN_PROGRESS, message="back")
        assert second.id in str(caught.value)
        assert store.get(first.id) == evolve(first, status=Status.SUCCESSFUL, updated=DAY)
        elsewhere.update(second.id, at=DAY, status=Status.FAILED)
        store.update(first.id, at=DAY, status=Status.ROLLBACK_IN_PROGRESS)

    def test_the_newest_comes_first(self, store: StateStore, elsewhere: StateStore) -> None:
        ids: list[str] = []
        for minutes in range(12):
            earlier = DAY - timedelta(minutes=minutes)
            ids.insert(0, store.create(record(created=earlier, updated=earlier)).id)
            store.update(ids[0], at=earlier, status=Status.SUCCESSFUL)
        assert [one.id for one in elsewhere.list()] == ids, "as they began: a clock can be set back"

    def test_a_list_can_be_narrowed(self, store: StateStore) -> None:
        places = [("shop", "testing"), ("shop", "live"), ("cart", "live")]
        for application, environment in places:
            store.create(record(application=application, environment=environment))

        def ids(**wanted: Any) -> Sequence[str]:
            return [one.id for one in store.list(**wanted)]

        assert ids(application="shop") == ["shop-live-1", "shop-testing-1"]
        assert ids(environment="live") == ["cart-live-1", "shop-live-1"]
        assert ids(application="shop", environment="live") == ["shop-live-1"]
        assert ids(limit=2) == ["cart-live-1", "shop-live-1"]
        assert ids(application="shop", limit=1) == ["shop-live-1"]

    @pytest.mark.parametrize(
        "value",
        [
            None,
            True,
            0,
            -1,
            2**53,
            0.1,
            1e-9,
            "",
            "«ü»\n\t\0\x1b🚀",
            [],
            {},
            ["a", [None, {"": False}]],
            (1, 2),
        ],
        ids=repr,
    )
    def test_every_json_comes_back(self, store: StateStore, elsewhere: StateStore, value: Any) -> None:
        shop = store.create(record()).id
        said = entry(1, value=value, error={"code": "x", "found": value})
        store.append(shop, said)
        store.append(shop, said)
        store.checkpoint(shop, value, at=DAY)
        store.signal(shop, "promote", {"value": value}, by="ann", at=DAY)
        (back,) = elsewhere.entries(shop)
        assert back == evolve(back, **{k: getattr(said, k) for k in _PLAIN}), "all else as it was"
        for got, put in (
            (back.value, value),
            (back.error, {"code": "x", "found": value}),
            (elsewhere.last_checkpoint(shop), value),
            (elsewhere.signals(shop)[0].payload, {"value": value}),
        ):
            assert json.dumps(got, sort_keys=True) == json.dumps(put, sort_keys=True)

    def test_lines_keep_their_order(self, store: StateStore, elsewhere: StateStore) -> None:
        shop = store.create(record()).id
        lines = [entry(seq, run=run) for run in ("rollback 1", "deploy") for seq in (2, 11, 1)]
        for line in lines:
            store.append(shop, line)
        store.append("shop-live-1", entry(3))
        assert list(elsewhere.entries(shop)) == lines
        assert list(elsewhere.entries(shop, "deploy")) == lines[3:]
        assert list(elsewhere.entries(shop, "rollback 2")) == []

    def test_the_same_line_twice_is_one(self, store: StateStore, elsewhere: StateStore) -> None:
        shop = store.create(record()).id
        lines = [entry(seq) for seq in range(1, 7)]
        for line in lines:
            store.append(shop, line)
        for line in lines:
            elsewhere.append(shop, line)
        assert list(store.entries(shop)) == lines

    def test_another_line_in_its_place_is_refused(self, store: StateStore, elsewhere: StateStore) -> None:
        shop = store.create(record()).id
        lines = [entry(seq) for seq in range(1, 7)]
        for line in lines:
            store.append(shop, line)
        others: Sequence[dict[str, Any]] = (
            {"op": "split"},
            {"fingerprint": "0"},
            {"value": 7},
            {"error": {"code": "x"}},
        )
        for other in others:
            with pytest.raises(StateError):
                elsewhere.append(shop, evolve(lines[0], **other))
        assert list(store.entries(shop)) == lines
        for fits in ({"run": "rollback 1"}, {"mark": Mark.RESULT}, {"attempt": 2}):
            elsewhere.append(shop, evolve(lines[0], **fits))
        assert len(store.entries(shop)) == len(lines) + 3

    def test_many_write_at_once(self, open: Callable[[], StateStore]) -> None:
        stores = [open() for _ in range(self.many)]
        shop = stores[0].create(record()).id
        at_once([_write(store, shop, f"run {n}") for n, store in enumerate(stores)])
        for n, store in enumerate(stores):
            assert [line.seq for line in store.entries(shop, f"run {n}")] == list(range(1, 11))
        assert len(stores[0].entries(shop)) == 10 * self.many

    def test_one_object_serves_many_threads(self, store: StateStore) -> None:
        shop = store.create(record()).id
        lease = store.acquire(KEY, owner(1), ttl=self.ttl)

        def renew() -> None:
            for _ in range(10):
                store.renew(lease, ttl=self.ttl)

        at_once([renew, *(_write(store, shop, f"run {n}", lease) for n in range(3))])
        assert len(store.entries(shop)) == 30

    def test_words_are_heard_and_answered(self, store: StateStore, elsewhere: StateStore) -> None:
        shop = store.create(record()).id
        numbers = [
            elsewhere.signal(shop, kind, {"why": kind}, by="ann@ci", at=DAY) for kind in ("pause", "abort")
        ]
        elsewhere.signal("shop-live-1", "resume", {}, by="bob@ci", at=DAY)
        heard = store.signals(shop)
        assert [(s.id, s.kind, s.payload, s.by, s.at, s.answer) for s in heard] == [
            (number, kind, {"why": kind}, "ann@ci", DAY, "")
            for number, kind in zip(numbers, ("pause", "abort"), strict=True)
        ]
        store.answer(numbers[0], "paused")
        assert [s.id for s in elsewhere.signals(shop)] == numbers[1:]
        assert [s.answer for s in elsewhere.signals(shop, unanswered=False)] == ["paused", ""]

    def test_the_last_checkpoint_counts(self, store: StateStore, elsewhere: StateStore) -> None:
        shop = store.create(record()).id
        values: Sequence[Json] = ({"seen": 1}, {"seen": 2, "more": []})
        for value in values:
            store.checkpoint(shop, value, at=DAY)
            assert elsewhere.last_checkpoint(shop) == value
        assert elsewhere.last_checkpoint("shop-live-1") is None
        assert list(elsewhere.entries(shop)) == [], "it is no part of the journal"

    def test_the_owner_writes(self, store: StateStore, elsewhere: StateStore) -> None:
        lease = store.acquire(KEY, owner(1), ttl=self.ttl)
        shop = store.create(record(), lease=lease).id
        store.append(shop, entry(1), lease=lease)
        store.append(shop, entry(2), lease=store.renew(lease, ttl=self.ttl))
        store.update(shop, at=DAY, status=Status.SUCCESSFUL, lease=lease)
        assert len(elsewhere.entries(shop)) == 2
        assert [one.status for one in elsewhere.list()] == [Status.SUCCESSFUL]

    def test_whoever_was_taken_over_writes_nothing(
        self, store: StateStore, elsewhere: StateStore, die: Callable[[Lock], None]
    ) -> None:
        former = store.acquire(KEY, owner(1), ttl=self.ttl)
        shop = store.create(record(), lease=former).id
        die(store)
        lease = elsewhere.acquire(KEY, owner(2), ttl=self.ttl, take_over=True)
        self._writes_nothing(store, elsewhere, shop, former)
        elsewhere.append(shop, entry(1), lease=lease)

    def test_whose_lease_expired_writes_nothing(
        self, store: StateStore, elsewhere: StateStore, wait: Callable[[float], None]
    ) -> None:
        former = self.expiring(store)
        shop = store.create(record()).id
        self.until_free(elsewhere, wait)
        elsewhere.acquire(KEY, owner(2), ttl=self.ttl)
        self._writes_nothing(store, elsewhere, shop, former)

    def test_closing_loses_nothing(self, store: StateStore, open: Callable[[], StateStore]) -> None:
        made = store.create(record())
        store.append(made.id, entry(1))
        store.close()
        store.close()
        again = open()
        assert again.get(made.id) == made
        assert list(again.entries(made.id)) == [entry(1)]

    def _writes_nothing(self, store: StateStore, elsewhere: StateStore, id: str, lease: Lease) -> None:
        before = [*elsewhere.list()]
        with pytest.raises(LockLost):
            store.append(id, entry(1, value="fenced"), lease=lease)
        with pytest.raises(LockLost):
            store.update(id, at=DAY, message="fenced", status=Status.FAILED, lease=lease)
        with pytest.raises(LockLost):
            store.create(record(environment="live"), lease=lease)
        assert list(elsewhere.list()) == before
        assert list(elsewhere.entries(id)) == []


_PLAIN = ("run", "seq", "mark", "attempt", "op", "fingerprint", "at")


def record(**changes: Any) -> Record:
    plain = Record(
        id="",
        application="shop",
        environment="testing",
        strategy="canary",
        version="1.2.0",
        created=DAY,
        updated=DAY,
    )
    return evolve(plain, **changes)


def entry(seq: int, **changes: Any) -> Entry:
    plain = Entry(
        run="deploy", seq=seq, mark=Mark.INTENT, attempt=1, op="converge", fingerprint="c0ffee", at=DAY
    )
    return evolve(plain, **changes)


def _begin(store: StateStore) -> Callable[[], Record | None]:
    def begin() -> Record | None:
        try:
            return store.create(record())
        except Locked:
            return None

    return begin


def _write(store: StateStore, id: str, run: str, lease: Lease | None = None) -> Callable[[], None]:
    def write() -> None:
        for seq in range(1, 11):
            store.append(id, entry(seq, run=run), lease=lease)

    return write
