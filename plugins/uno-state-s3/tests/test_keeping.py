"""How the state lies in the bucket, what is asked of S3 for it, and what is forgotten."""

import json

import pytest

from uno_aws.options import AwsOptions
from uno_core import Condition, Locked, StateError, Status
from uno_core.shelved import index
from uno_core.testing.lock import KEY, owner
from uno_core.testing.state import DAY, entry, record
from uno_state_s3.options import S3Options

pytest_plugins = ["clouds"]

component = pytest.mark.component("envoy")


# Who begins


@component
@pytest.mark.parametrize("again", [False, True], ids=["begun", "taken up again"])
def test_what_was_claimed_by_whoever_died_is_carried_out_by_the_next(connect, monkeypatch, again):
    store, other = connect(), connect()
    if again:
        shop = store.create(record()).id
        store.update(shop, at=DAY, status=Status.SUCCESSFUL)

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "_settle", die)
    back = {"at": DAY, "status": Status.ROLLBACK_IN_PROGRESS}
    with pytest.raises(KeyboardInterrupt):
        store.update(shop, **back) if again else store.create(record(message="begun"))
    if not again:
        assert [one.message for one in other.list()] == ["begun"]
        assert other.get("shop-testing-1").message == "begun"
    with pytest.raises(Locked, match="shop-testing-1"):
        other.create(record())
    other.update("shop-testing-1", at=DAY, status=Status.ROLLED_BACK)
    assert other.create(record()).id == "shop-testing-2"


@component
def test_what_somebody_deleted_stays_deleted(store, bucket):
    bucket.delete_object(Bucket="state-of-uno", Key=f"team/deployment/{store.create(record()).id}")
    assert list(store.list()) == []
    assert store.get("shop-testing-1") is None
    assert store.create(record()).id == "shop-testing-2"


@component
def test_words_may_come_before_their_deployment(store, connect):
    word = connect().signal("shop-testing-1", "abort", {}, by="ann", at=DAY)
    assert list(store.list()) == []
    assert list(store.called()) == []
    assert store.create(record()).id == "shop-testing-1"
    assert [one.id for one in store.signals("shop-testing-1")] == [word]


@component
def test_whoever_was_called_is_heard_of(connect, monkeypatch):
    monkeypatch.setattr("uno_core.shelved.words.CALLED", 0.0)
    store, other = connect(), connect()
    shops = [store.create(record(environment=one)).id for one in ("testing", "live", "eu")]
    assert list(other.called()) == []
    words = [store.signal(shop, "pause", {}, by="ann", at=DAY) for shop in shops[:2]]
    store.update(shops[1], at=DAY, status=Status.SUCCESSFUL)
    assert list(other.called()) == shops[:1]
    connect().answer(words[0], "paused")
    assert list(other.called()) == []


# How much there is of it


@component
def test_a_long_journal_lies_in_parts(connect, names, bucket):
    store, other = connect(), connect()
    shop = store.create(record(params={"much": "y" * 300_000})).id
    lines = [entry(n, value="x" * 7000) for n in range(30)]
    lines[7] = entry(7, value=list(range(100_000)))
    for number, line in enumerate(lines):
        (store, other)[number % 2].append(shop, line)
    assert list(connect().entries(shop)) == lines
    for line in (lines[0], lines[-1]):
        other.append(shop, line)
    with pytest.raises(StateError, match="with other words"):
        connect().append(shop, entry(3, value="other"))
    assert list(store.entries(shop)) == lines
    assert [one for one in names() if one.startswith("journal/")] == [
        f"journal/{shop}/{n:05}" for n in (1, 2, 3, 4)
    ]
    assert other.get(shop).params == {"much": "y" * 300_000}


@component
def test_short_objects_can_be_read_as_they_lie_there(store, bucket):
    shop = store.create(record()).id
    store.append(shop, entry(1))
    found = bucket.get_object(Bucket="state-of-uno", Key=f"team/journal/{shop}/00001")
    assert json.loads(found["Body"].read())["lines"][0]["op"] == "converge"


@component
def test_two_prefixes_know_nothing_of_each_other(connect):
    connect().create(record())
    for url in ("s3://state-of-uno", "s3://state-of-uno/other/deep/"):
        other = connect({"url": url})
        assert list(other.list()) == []
        assert other.create(record()).id == "shop-testing-1"
        assert other.get("shop-testing-1") is not None


@component
@pytest.mark.parametrize("key", ["a/b-testing", "shop ü%2F-testing"])
def test_names_may_have_any_characters(store, connect, key):
    application = key.removesuffix("-testing")
    lease = store.acquire(key, owner(1), ttl=600)
    shop = store.create(record(application=application), lease=lease).id
    store.append(shop, entry(1), lease=lease)
    word = connect().signal(shop, "pause", {}, by="ann", at=DAY)
    connect().answer(word, "paused")
    other = connect().acquire(key, owner(2), ttl=600, take_over=True)
    connect().append(shop, entry(2), lease=other)
    assert [one.id for one in store.list(application=application)] == [shop]
    assert len(store.entries(shop)) == 2


@component
def test_old_deployments_are_forgotten_with_all_their_parts(store, names, monkeypatch):
    monkeypatch.setattr(index, "KEPT", 3)
    monkeypatch.setattr(index, "SERVED", 2)
    ended = [Status.SUCCESSFUL, *[Status.ROLLED_BACK] * 2, Status.SUCCESSFUL, *[Status.FAILED] * 3]
    for status in ended:
        made = store.create(record())
        store.append(made.id, entry(1))
        store.checkpoint(made.id, 1, at=DAY)
        store.update(made.id, at=DAY, status=status)
    assert store.create(record()).id == "shop-testing-8"
    assert [one.id[-1] for one in store.list()] == ["8", "7", "6", "5", "4", "1"]
    stays = {f"shop-testing-{n}" for n in (8, 7, 6, 5, 4, 1)}
    assert {name.split("/")[1] for name in names() if "/" in name} == stays
    assert len(store.entries("shop-testing-1")) == 1


@component
def test_whoever_may_not_delete_is_warned_and_goes_on(store, aws, monkeypatch, logger, names):
    monkeypatch.setattr(index, "KEPT", 1)
    monkeypatch.setattr(index, "SERVED", 0)
    aws.front.denied.add("s3:DELETE *")
    for _ in range(3):
        store.update(store.create(record()).id, at=DAY, status=Status.FAILED)
    assert store.create(record()).id == "shop-testing-4"
    assert len(logger.lines) == 2, "once for each that begins"
    _, event, values = logger.lines[-1]
    assert event == "old deployments could not be deleted"
    assert "s3:DeleteObject" in values["problem"]
    assert len([one for one in names() if one.startswith("deployment/")]) == 4


# What it costs


@component
class TestRequests:
    def test_a_line_is_one_and_a_renewal_too(self, store, asked):
        lease = store.acquire(KEY, owner(1), ttl=600)
        shop = store.create(record(), lease=lease).id
        assert asked(lambda: store.append(shop, entry(0), lease=lease)) == [
            f"PUT lease/{KEY}", f"GET journal/{shop}/00001", f"PUT journal/{shop}/00001",
        ]  # fmt: skip
        lines = [entry(n, value="x" * 7000) for n in range(1, 21)]
        calls = asked(lambda: [store.append(shop, line, lease=lease) for line in lines])
        assert len(calls) == 20
        assert {call.split("/")[0] for call in calls} == {"PUT journal"}, "also where a part is full"
        assert asked(lambda: store.renew(lease, ttl=600)) == [f"PUT lease/{KEY}"]
        assert asked(lambda: store.update(shop, at=DAY, message="on", lease=lease)) == [
            f"GET deployment/{shop}", f"PUT deployment/{shop}",
        ]  # fmt: skip
        assert len(asked(lambda: store.entries(shop))) == 3, "one for each part"

    def test_a_look_at_the_words_is_one(self, store, connect, asked):
        shop = store.create(record()).id
        assert asked(lambda: store.signals(shop)) == [f"GET deployment/{shop}"]
        assert asked(lambda: store.get(shop)) == [f"GET deployment/{shop}"]
        assert asked(lambda: store.last_checkpoint(shop)) == [f"GET checkpoint/{shop}"]
        assert asked(lambda: store.checkpoint(shop, 1, at=DAY)) == [f"PUT checkpoint/{shop}"]
        assert asked(lambda: store.holder(KEY)) == [f"GET lease/{KEY}"]
        word = connect().signal(shop, "pause", {}, by="ann", at=DAY)
        assert [one.id for one in store.signals(shop)] == [word], "what is known is asked for all the same"
        assert asked(lambda: store.answer(word, "paused")) == [
            f"GET deployment/{shop}", f"PUT deployment/{shop}",
        ]  # fmt: skip

    def test_to_begin_is_a_handful(self, store, asked):
        first = asked(lambda: store.acquire(KEY, owner(1), ttl=600))
        assert first == [f"GET lease/{KEY}", "GET index", f"PUT lease/{KEY}"]
        lease = store.renew(store.acquire(KEY, owner(1), ttl=600, take_over=True), ttl=600)
        assert asked(lambda: store.create(record(), lease=lease)) == [
            f"PUT lease/{KEY}", "GET index", "GET ", "PUT index", "GET deployment/shop-testing-1",
            "PUT deployment/shop-testing-1", "GET index", "PUT index",
        ], "the first one looks whether there is anything"  # fmt: skip

    def test_to_take_over_is_about_ten(self, store, connect, asked):
        lease = store.acquire(KEY, owner(1), ttl=600)
        shop = store.create(record(), lease=lease).id
        store.append(shop, entry(1), lease=lease)
        other = connect()
        assert asked(lambda: other.acquire(KEY, owner(2), ttl=600, take_over=True)) == [
            f"GET lease/{KEY}", f"PUT lease/{KEY}", "GET index", "PUT index", f"GET deployment/{shop}",
            "GET index", f"PUT deployment/{shop}", f"GET journal/{shop}/00001", f"PUT journal/{shop}/00001",
        ]  # fmt: skip

    def test_who_was_called_is_listed_every_two_seconds(self, store, asked):
        store.create(record())
        store.called()
        assert asked(lambda: [store.called() for _ in range(100)]) in ([], ["GET ", "GET index"])

    def test_a_list_reads_what_changed(self, store, asked):
        shops = [store.create(record(environment=f"e{n}")).id for n in range(5)]
        assert len(asked(store.list)) == 7
        assert asked(store.list) == ["GET ", "GET index"]
        store.update(shops[2], at=DAY, message="on")
        other = asked(lambda: store.list(application="shop", environment="e1", limit=1))
        assert other == ["GET ", "GET index"], "what is not asked for is not read"


# How it is


@component
def test_a_doctor_writes_nothing(store, connect, names, aws):
    (found,) = store.diagnose()
    assert (found.condition, found.about) == (Condition.OK, "state in S3")
    store.create(record())
    before = names()
    (found,) = connect().diagnose()
    assert found.condition is Condition.OK
    assert names() == before
    for method, action in (("GET", "s3:ListBucket"), ("PUT", "s3:PutObject")):
        aws.front.denied = {f"s3:{method} *"}
        (found,) = connect().diagnose()
        assert (found.condition, found.forbidden) == (Condition.ERROR, True)
        assert action in found.found
    aws.front.heal()
    (found,) = connect({"url": "s3://nowhere"}).diagnose()
    assert "no such bucket: nowhere" in found.found


@component
def test_a_doctor_finds_out_that_conditions_are_ignored(store, monkeypatch):
    put = store._shelf._put
    monkeypatch.setattr(store._shelf, "_put", lambda name, data, _: put(name, data, {}))
    (found,) = store.diagnose()
    assert found.condition is Condition.ERROR
    assert "whatever their condition" in found.found


@component
def test_an_answer_without_a_date_is_told(store, monkeypatch):
    read = store._shelf.aws.read

    def dateless(*args, **more):
        answer = read(*args, **more)
        answer["ResponseMetadata"]["HTTPHeaders"].pop("date")
        return answer

    monkeypatch.setattr(store._shelf.aws, "read", dateless)
    with pytest.raises(StateError, match="what time it is"):
        store.create(record())


# Options


@component
def test_what_is_not_said_is_as_the_platform_says(connect, aws):
    platform = AwsOptions(region="eu-west-1", endpoint_url=aws.url)
    store = connect({"region": "", "endpoint_url": ""}, platform_options=platform)
    assert store.create(record()).id == "shop-testing-1"


@pytest.mark.parametrize("url", ["state", "s3://", "https://state.s3.amazonaws.com/uno"])
def test_a_url_that_is_none_is_refused(url):
    with pytest.raises(ValueError, match="expected s3://bucket/prefix"):
        S3Options(url=url)


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [("s3://a", "a", ""), ("s3://a/", "a", ""), ("s3://a/b/c", "a", "b/c/"), ("s3://a/b/", "a", "b/")],
)
def test_a_url_names_bucket_and_prefix(url, bucket, prefix):
    assert (S3Options(url=url).bucket, S3Options(url=url).prefix) == (bucket, prefix)
