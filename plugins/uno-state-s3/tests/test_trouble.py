"""What becomes of the state where answers are lost, owners freeze, and S3 refuses."""

import threading
from datetime import timedelta

import pytest

from uno_core import Forbidden, Locked, LockLost, StateError, Status, SystemClock
from uno_core.shelved import index
from uno_core.testing.lock import KEY, at_once, owner
from uno_core.testing.state import DAY, entry, record

pytest_plugins = ["clouds"]

pytestmark = pytest.mark.component("envoy")


# Answers that are lost


@pytest.fixture
def losing(aws):
    """Runs something, and loses the answer of its n-th write to names like this one."""

    def losing(work, name="*", nth=1, times=1):
        like = f"s3:PUT /*/team/{name}"
        aws.front.inject(like, times=nth - 1)
        fault = aws.front.inject(like, lost=True, times=times)
        done = work()
        assert fault.hits == times
        return done

    return losing


@pytest.mark.parametrize("times", [1, 2, 3])
class TestALostAnswer:
    """Whether boto3 asked again, or nobody: what was written is written once, and whoever wrote it knows."""

    def test_of_a_lease_that_is_taken(self, store, connect, losing, times):
        first = losing(lambda: store.acquire(KEY, owner(1), ttl=600), times=times)
        assert connect().holder(KEY).epoch == first.epoch == 1
        store.release(first)
        second = losing(lambda: store.acquire(KEY, owner(2), ttl=600), times=times)
        assert connect().holder(KEY).epoch == second.epoch == 2

    def test_of_a_lease_that_is_renewed_and_released(self, store, connect, losing, times):
        lease = store.acquire(KEY, owner(1), ttl=600)
        assert losing(lambda: store.renew(lease, ttl=600), times=times).epoch == lease.epoch
        assert connect().holder(KEY).epoch == lease.epoch
        losing(lambda: store.release(lease), times=times)
        assert connect().holder(KEY) is None

    @pytest.mark.parametrize("name", ["lease/*", "index", "deployment/*"])
    def test_of_a_deployment_that_begins(self, store, connect, losing, times, name):
        lease = store.acquire(KEY, owner(1), ttl=600)
        made = losing(lambda: store.create(record(), lease=lease), name, times=times)
        assert made.id == "shop-testing-1"
        assert [one.id for one in connect().list()] == [made.id]
        with pytest.raises(Locked):
            connect().create(record())

    def test_of_the_index_that_is_brought_up_to_date(self, store, losing, times):
        made = losing(lambda: store.create(record()), "index", nth=2, times=times)
        store.update(made.id, at=DAY, status=Status.SUCCESSFUL)
        assert store.create(record()).id == "shop-testing-2"

    def test_of_a_line(self, store, connect, losing, times):
        shop = store.create(record()).id
        losing(lambda: store.append(shop, entry(1)), times=times)
        store.append(shop, entry(2))
        losing(lambda: store.append(shop, entry(3)), times=times)
        store.append(shop, entry(4))
        assert list(connect().entries(shop)) == [entry(n) for n in (1, 2, 3, 4)]

    def test_of_an_update(self, store, connect, losing, times):
        shop = store.create(record()).id
        losing(lambda: store.update(shop, at=DAY, status=Status.PAUSED), times=times)
        assert connect().get(shop).status is Status.PAUSED

    def test_of_a_word_and_its_answer(self, store, connect, losing, times):
        shop = store.create(record()).id
        word = losing(lambda: store.signal(shop, "pause", {"why": (1,)}, by="ann", at=DAY), times=times)
        assert [one.id for one in connect().signals(shop)] == [word]
        losing(lambda: store.answer(word, "paused"), times=times)
        assert [one.answer for one in connect().signals(shop, unanswered=False)] == ["paused"]

    def test_of_a_checkpoint(self, store, connect, losing, times):
        shop = store.create(record()).id
        losing(lambda: store.checkpoint(shop, {"seen": 1}, at=DAY), times=times)
        assert connect().last_checkpoint(shop) == {"seen": 1}


def test_a_line_that_stays_unanswered_may_be_written_once_more(store, connect, aws):
    shop = store.create(record()).id
    aws.front.inject("s3:PUT *", lost=True, times=99)
    with pytest.raises(StateError, match="cannot be read or written") as raised:
        store.append(shop, entry(1))
    assert f"state-of-uno/team/journal/{shop}/00001" in raised.value.where
    aws.front.heal()
    store.append(shop, entry(1))
    store.append(shop, entry(2))
    assert list(connect().entries(shop)) == [entry(1), entry(2)]


def test_another_write_in_progress_is_waited_for(store, aws):
    shop = store.create(record()).id
    fault = aws.front.inject("s3:PUT *", code="ConditionalRequestConflict", status=409, times=3)
    store.append(shop, entry(1))
    assert fault.hits == 3
    assert list(store.entries(shop)) == [entry(1)]


def test_others_write_all_the_time(store, aws, monkeypatch):
    monkeypatch.setattr("uno_core.shelved.shelf.TURNS", 3)
    shop = store.create(record()).id
    aws.front.inject("s3:PUT *", code="PreconditionFailed", status=412, times=99)
    with pytest.raises(StateError, match="others write the same object"):
        store.append(shop, entry(1))


# Owners that freeze


@pytest.fixture
def frozen(connect):
    """A former owner with a deployment, that freezes before its next write to names that begin so: it is
    taken over meanwhile, and goes on then.
    """
    former, other = connect(), connect()
    lease = former.acquire(KEY, owner(1), ttl=600)
    shop = former.create(record(), lease=lease).id
    former.append(shop, entry(1), lease=lease)
    former.update(shop, at=DAY, message="on", lease=lease)

    def freeze(begins):
        put = former._shelf.put

        def frozen(name, *more):
            if str(name).startswith(begins):
                former._shelf.put = put
                other.acquire(KEY, owner(2), ttl=600, take_over=True)
            return put(name, *more)

        former._shelf.put = frozen
        return former, other, lease, shop

    return freeze


def test_a_line_of_a_former_owner_is_not_written(frozen):
    former, other, lease, shop = frozen("journal/")
    with pytest.raises(LockLost):
        former.append(shop, entry(2), lease=lease)
    assert list(other.entries(shop)) == [entry(1)]


def test_a_line_of_a_former_owner_is_not_written_to_the_next_part(frozen, monkeypatch):
    monkeypatch.setattr("uno_core.shelved.journal.PART", 1)
    former, other, lease, shop = frozen("journal/shop-testing-1/00002")
    former.append(shop, entry(2), lease=lease)
    with pytest.raises(LockLost):
        former.append(shop, entry(3), lease=lease)
    assert list(other.entries(shop)) == [entry(1), entry(2)]
    other.append(shop, entry(3), lease=other.holder(KEY))
    assert [line.seq for line in other.entries(shop)] == [1, 2, 3]


def test_an_update_of_a_former_owner_is_not_written(frozen):
    former, other, lease, shop = frozen("deployment/")
    with pytest.raises(LockLost):
        former.update(shop, at=DAY, message="fenced", lease=lease)
    assert other.get(shop).message == "on"


def test_a_deployment_of_a_former_owner_does_not_begin(frozen):
    former, other, lease, shop = frozen("index")
    with pytest.raises(LockLost):
        former.create(record(environment="live"), lease=lease)
    assert [one.id for one in other.list()] == [shop]


def test_a_former_owner_writes_nothing_that_it_never_wrote_before(frozen):
    former, other, lease, _ = frozen("lease/")
    live = other.create(record(environment="live")).id
    with pytest.raises(LockLost):
        former.append(live, entry(1), lease=lease)
    assert list(other.entries(live)) == []


def test_whoever_cannot_fence_off_has_no_lease(connect, aws):
    former, other = connect(), connect()
    lease = former.acquire(KEY, owner(1), ttl=600)
    shop = former.create(record(), lease=lease).id
    former.append(shop, entry(1), lease=lease)
    aws.front.inject("s3:PUT */journal/*", code="InvalidRequest")
    with pytest.raises(StateError):
        other.acquire(KEY, owner(2), ttl=600, take_over=True)
    aws.front.heal()
    assert other.holder(KEY) is None
    third = other.acquire(KEY, owner(3), ttl=600)
    with pytest.raises(LockLost):
        former.append(shop, entry(2), lease=lease)
    other.append(shop, entry(2), lease=third)


def test_a_lease_that_somebody_deleted_is_taken_with_a_newer_epoch(connect, bucket):
    former, other = connect(), connect()
    lease = former.acquire(KEY, owner(1), ttl=600)
    shop = former.create(record(), lease=lease).id
    former.append(shop, entry(1), lease=lease)
    bucket.delete_object(Bucket="state-of-uno", Key=f"team/lease/{KEY}")
    newer = other.acquire(KEY, owner(2), ttl=600)
    assert newer.epoch > lease.epoch
    for write in (
        lambda: former.append(shop, entry(2), lease=lease),
        lambda: former.update(shop, at=DAY, message="fenced", lease=lease),
        lambda: former.renew(lease, ttl=600),
    ):
        with pytest.raises(LockLost):
            write()


def test_of_forty_takers_one_has_the_lease(connect):
    stores = [connect() for _ in range(40)]
    had = []

    def take(number, store):
        try:
            had.append(store.acquire(KEY, owner(number), ttl=600))
        except Locked:
            pass

    at_once([lambda n=n, one=one: take(n, one) for n, one in enumerate(stores, 1)])
    assert len(had) == 1
    assert stores[0].holder(KEY).owner == had[0].owner


def test_of_forty_that_take_what_ended_one_has_the_lease(connect):
    stores = [connect() for _ in range(40)]
    stores[0].release(stores[0].acquire(KEY, owner(1), ttl=600))
    had, guard = [], threading.Lock()

    def take(number, store):
        try:
            lease = store.acquire(KEY, owner(number), ttl=600)
        except Locked:
            return
        with guard:
            had.append(lease)

    at_once([lambda n=n, one=one: take(n, one) for n, one in enumerate(stores, 1)])
    assert [one.epoch for one in had] == [2]


# Clocks


class Off(SystemClock):
    """A clock that is wrong by this much."""

    by = timedelta()

    def now(self):
        return super().now() + self.by


class Slow(Off):
    by = timedelta(hours=-1)


class Fast(Off):
    by = timedelta(hours=1)


@pytest.mark.parametrize(("mine", "yours"), [(Slow, Fast), (Fast, Slow)])
def test_the_clocks_of_the_machines_need_not_agree(connect, mine, yours):
    store, other = connect(clock=mine()), connect(clock=yours())
    lease = store.acquire(KEY, owner(1), ttl=20)
    with pytest.raises(Locked):
        other.acquire(KEY, owner(2), ttl=20)
    renewed = store.renew(lease, ttl=20)
    assert abs((renewed.expires - SystemClock().now()).total_seconds()) < 60
    shop = store.create(record(), lease=renewed).id
    store.append(shop, entry(1), lease=renewed)


# What S3 refuses


def test_throttled_for_a_while_is_waited_out(store, aws):
    shop = store.create(record()).id
    aws.front.inject("s3:PUT *", code="SlowDown", status=503, times=2)
    store.append(shop, entry(1))
    assert list(store.entries(shop)) == [entry(1)]


def test_throttled_for_good_is_an_error_of_the_state(store, aws):
    shop = store.create(record()).id
    aws.front.inject("s3:* *", code="SlowDown", status=503, times=99)
    with pytest.raises(StateError, match="cannot be read or written") as raised:
        store.append(shop, entry(1))
    assert "SlowDown" in raised.value.found


@pytest.mark.parametrize(
    ("method", "call", "action"),
    [
        ("GET", lambda store: store.get("shop-testing-1"), "s3:GetObject"),
        ("GET", lambda store: store.list(), "s3:ListBucket"),
        ("PUT", lambda store: store.create(record()), "s3:PutObject"),
        ("PUT", lambda store: store.acquire(KEY, owner(1), ttl=600), "s3:PutObject"),
    ],
)
def test_what_is_denied_names_the_action(store, aws, method, call, action):
    aws.front.denied.add(f"s3:{method} *")
    with pytest.raises(Forbidden, match=action) as raised:
        call(store)
    assert raised.value.exit_code == 9
    assert "arn:aws:s3:::state-of-uno" in raised.value.expected
    assert "README" in raised.value.remedy


def test_a_key_that_may_not_be_used_is_named(store, aws):
    told = "User: x is not authorized to perform: kms:GenerateDataKey on resource: y"
    aws.front.inject("s3:PUT *", code="AccessDenied", status=403, message=told)
    with pytest.raises(Forbidden, match="kms:GenerateDataKey"):
        store.create(record())


def test_a_login_that_ended_is_an_error_of_the_state_once_something_was_written(store, connect, aws):
    shop = store.create(record()).id
    aws.front.expired.add("AKIAFIRST")
    with pytest.raises(StateError, match="cannot be read or written") as raised:
        store.append(shop, entry(1))
    assert "ExpiredToken" in raised.value.found
    with pytest.raises(Forbidden, match="who asks"):
        connect().append(shop, entry(1))


def test_a_bucket_that_is_missing_is_named(connect):
    store = connect({"url": "s3://nowhere/team"})
    for call in (
        store.list,
        lambda: store.get("shop-testing-1"),
        lambda: store.create(record()),
        lambda: store.acquire(KEY, owner(1), ttl=600),
        lambda: store.checkpoint("shop-testing-1", 1, at=DAY),
    ):
        with pytest.raises(StateError, match="no such bucket") as raised:
            call()
        assert raised.value.found == "nowhere"
        assert "aws s3 mb s3://nowhere" in raised.value.remedy


def test_nobody_is_there(connect):
    with pytest.raises(StateError, match="cannot be read or written"):
        connect({"endpoint_url": "http://127.0.0.1:1"}).get("shop-testing-1")


def test_what_is_too_much_is_an_error_of_the_state(store, monkeypatch):
    monkeypatch.setattr("uno_state_s3.shelf.LARGEST", 1000)
    shop = store.create(record()).id
    with pytest.raises(StateError, match="too much"):
        store.append(shop, entry(1, value="x" * 2000))
    store.append(shop, entry(1))
    assert list(store.entries(shop)) == [entry(1)]


def test_words_have_an_end(store, monkeypatch):
    monkeypatch.setattr(index, "WORDS", 3)
    for _ in range(2):
        store.signal("shop-testing-1", "pause", {}, by="ann", at=DAY)
    with pytest.raises(StateError, match="too many words"):
        store.signal("shop-testing-1", "pause", {}, by="ann", at=DAY)
