"""What a third party makes of a few methods is a whole state store, whatever happens between its writes."""

from urllib.parse import unquote

import pytest

from uno_core import Locked, LockLost, Overtaken, Shelf, StateError, Status, ThingName
from uno_core.shelved import index, journal, shelf
from uno_core.testing import StateStoreContract
from uno_core.testing.lock import KEY, owner
from uno_core.testing.state import DAY, entry, record


class TestStore(StateStoreContract):
    @pytest.fixture
    def open(self, connect):
        return connect


class TestStoreThatTellsNoTime(StateStoreContract):
    """Then whoever waits for the end of a lease has to see that it does not change."""

    @pytest.fixture
    def open(self, connect):
        return lambda: connect(tells_age=False)


@pytest.fixture
def at_write():
    """Does something at the nth write, once."""

    def at_write(nth, work):
        left = [nth]

        def writes(_):
            left[0] -= 1
            if left[0] == 0:
                work()

        return writes

    return at_write


def begin(store, shop, lease):
    return store.create(record(environment="live"), lease=lease)


def go_back(store, shop, lease):
    store.update(shop, at=DAY, status=Status.ROLLBACK_IN_PROGRESS, message="former", lease=lease)


def append(store, shop, lease):
    store.append(shop, entry(9, value="former"), lease=lease)


def update(store, shop, lease):
    store.update(shop, at=DAY, message="former", lease=lease)


@pytest.fixture(params=[1, 10000], ids=["parts of one line", "one part"])
def _parts(request, monkeypatch):
    monkeypatch.setattr(journal, "PART", request.param)


@pytest.mark.usefixtures("_parts")
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
@pytest.mark.parametrize("write", [append, update, begin, go_back])
def test_whoever_is_frozen_in_a_write_while_taken_over_writes_nothing(connect, at_write, write, nth):
    other, seen = connect(), []

    def take_over():
        lease = other.acquire(KEY, owner(2), ttl=600, take_over=True)
        seen.extend([lease, list(other.list()), list(other.entries(shop))])

    store = connect()
    former = store.acquire(KEY, owner(1), ttl=600)
    shop = store.create(record()).id
    store.append(shop, entry(1))
    store.update(shop, at=DAY, status=Status.SUCCESSFUL)
    store._shelf.before = at_write(nth, take_over)
    try:
        write(store, shop, former)
    except LockLost:
        assert seen, "nobody had taken it over"
    if seen:
        lease, listed, lines = seen
        assert list(connect().list()) == listed
        assert list(connect().entries(shop)) == lines
        for again in (append, update, begin, go_back):
            with pytest.raises(LockLost):
                again(store, shop, former)
        other.append(shop, entry(10), lease=lease)


@pytest.mark.parametrize("nth", range(1, 13))
def test_what_was_written_and_not_answered_is_written_once(connect, at_write, nth):
    def lose():
        raise Overtaken("it was sent again, and found itself there")

    store = connect(after=at_write(nth, lose))
    lease = store.acquire(KEY, owner(1), ttl=600)
    shop = store.create(record(), lease=lease).id
    store.append(shop, entry(1), lease=lease)
    lease = store.renew(lease, ttl=600)
    word = store.signal(shop, "pause", {}, by="ann", at=DAY)
    store.answer(word, "paused")
    store.update(shop, at=DAY, status=Status.SUCCESSFUL, lease=lease)
    store.release(lease)
    other = connect()
    assert other.holder(KEY) is None
    assert [(one.id, one.status) for one in other.list()] == [(shop, Status.SUCCESSFUL)]
    assert list(other.entries(shop)) == [entry(1)]
    assert [(one.id, one.answer) for one in other.signals(shop, unanswered=False)] == [(word, "paused")]
    assert other.acquire(KEY, owner(2), ttl=600).epoch == lease.epoch + 1


def test_others_write_all_the_time(connect, monkeypatch):
    monkeypatch.setattr(shelf, "TURNS", 3)

    def overtake(_):
        raise Overtaken("another one lies there")

    with pytest.raises(StateError, match="others write the same object"):
        connect(before=overtake).create(record())


def test_a_deployment_of_whoever_died_before_it_began_is_begun_by_the_next(connect, at_write):
    def die():
        raise KeyboardInterrupt

    other = connect()
    with pytest.raises(KeyboardInterrupt):
        connect(after=at_write(1, die)).create(record(message="begun"))
    assert [one.message for one in other.list()] == [other.get("shop-testing-1").message] == ["begun"]
    with pytest.raises(Locked, match="shop-testing-1"):
        other.create(record())


@pytest.mark.parametrize("by", ["whoever begins", "whoever takes over"])
def test_where_somebody_deleted_the_index_it_is_made_of_what_is_there(store, drawer, connect, by):
    def ended(environment):
        made = store.create(record(environment=environment))
        store.append(made.id, entry(1))
        store.update(made.id, at=DAY, status=Status.SUCCESSFUL)
        return made.id

    lease = store.acquire(KEY, owner(1), ttl=600)
    ends = [ended(one) for one in ("testing", "testing", "live")]
    under_way = store.create(record(), lease=lease).id
    drawer.texts.pop(ThingName("index"))
    other = connect()
    if by == "whoever takes over":
        other.acquire(KEY, owner(2), ttl=600, take_over=True)
    with pytest.raises(Locked, match=under_way):
        other.create(record())
    other.update(under_way, at=DAY, status=Status.FAILED)
    assert other.create(record()).id == "shop-testing-4", "no number is given twice"
    other.update("shop-testing-4", at=DAY, status=Status.FAILED)
    other.update(ends[0], at=DAY, status=Status.ROLLBACK_IN_PROGRESS)
    assert other.get(ends[0]).status is Status.ROLLBACK_IN_PROGRESS, "its turn is a new one"
    assert {one.id for one in other.list(application="shop", environment="live")} == {ends[2]}


def test_whoever_was_called_is_found_among_all(store, connect):
    shops = [store.create(record(environment=one)).id for one in ("testing", "live")]
    word = store.signal(shops[1], "pause", {}, by="ann", at=DAY)
    assert list(connect().called()) == shops[1:]
    connect().answer(word, "paused")
    assert list(connect().called()) == []


def test_old_deployments_are_forgotten_with_all_their_parts(store, drawer, monkeypatch):
    monkeypatch.setattr(index, "KEPT", 2)
    monkeypatch.setattr(index, "SERVED", 1)
    for status in [Status.SUCCESSFUL, *[Status.FAILED] * 4]:
        made = store.create(record())
        store.append(made.id, entry(1))
        store.checkpoint(made.id, 1, at=DAY)
        store.update(made.id, at=DAY, status=status)
    assert store.create(record()).id == "shop-testing-6"
    stays = {f"shop-testing-{n}" for n in (6, 5, 4, 1)}
    assert {one.id for one in store.list()} == stays
    assert {name.of for name in drawer.texts if name.of} == stays


def test_a_shelf_that_cannot_put_is_none():
    class Half(Shelf):
        def find(self, name):
            return None

    with pytest.raises(TypeError, match="put"):
        Half()


@pytest.mark.parametrize("of", ["a/b-testing-1", "shop ü%2F-testing-1", ".."])
def test_names_can_be_taken_apart_again(of):
    kind, name, part = str(ThingName("journal", of, 7)).split("/")
    assert (kind, unquote(name), int(part)) == ("journal", of, 7)
