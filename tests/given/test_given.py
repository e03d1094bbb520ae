"""Releases on given instances: who is told what, when, and what is said where it does not work."""

import pytest

from uno_core import ConfigError, GivenOptions, Looks, PlatformError, Release, Slot
from uno_core.given import asking

BLUE, GREEN = Slot.BLUE, Slot.GREEN
ONE, TWO = Release("1.0", "1.0"), Release("2.0", "2.0")


def pass_by(platform):
    """A wait between two looks, and the step after it."""
    platform.wait_for_change(1.0)
    for slot in Slot:
        platform.workload.step(slot)


def seen(platform, slot=BLUE):
    return platform.workload.observe().slots[slot]


def bring(platform, release, count, slot=BLUE):
    platform.workload.converge(slot, {release: count})
    for _ in range(10):
        if (state := seen(platform, slot)).holds({release: count}):
            return state
        pass_by(platform)
    pytest.fail(f"it never got there: {state.unready()}")


def test_the_command_puts_a_release_there_and_whoever_says_that_it_runs_it_joins(make, rack):
    platform = make()
    platform.workload.converge(BLUE, {ONE: 2})
    assert {one.reason for one in seen(platform).instances} <= {
        "the command runs", f"http://{rack.address('')}/blue-1 does not tell 1.0 yet",
        f"http://{rack.address('')}/blue-2 does not tell 1.0 yet",
    }  # fmt: skip
    assert rack.writes == []
    pass_by(platform)
    assert rack.writes == [("join", BLUE, ["blue-1", "blue-2"])]
    state = bring(platform, ONE, 2)
    assert [one.id for one in state.instances] == ["blue-1@1.0", "blue-2@1.0"]
    assert {one.port for one in state.instances} == {8080}
    assert not (rack.folder / "blue-3").exists()


def test_another_release_is_put_there_once_it_has_left_and_drained(make, rack):
    platform = make()
    bring(platform, ONE, 1)
    del rack.writes[:]
    platform.workload.converge(BLUE, {TWO: 3})
    assert rack.writes == [("leave", BLUE, ["blue-1"])]
    (draining,) = [one for one in seen(platform).instances if one.id == "blue-1@2.0"]
    assert draining.reason == "it drains before it is given the release"
    platform.workload.step(BLUE)
    assert (rack.folder / "blue-1").read_text().split() == ["1.0"], "it still answers requests"
    assert bring(platform, TWO, 3).releases == (TWO,)


def test_a_step_writes_and_a_look_does_not(make, rack):
    platform = make()
    platform.workload.converge(BLUE, {ONE: 3})
    for _ in range(3):
        platform.wait_for_change(1.0)
        assert seen(platform).ready() == 0
    assert rack.writes == []
    platform.workload.step(GREEN)
    assert rack.writes == [], "nobody asked for anything there"
    platform.workload.step(BLUE)
    assert len(rack.writes) == 1
    platform.workload.step(BLUE)
    assert len(rack.writes) == 1, "all is there"


def test_who_takes_part_is_what_another_process_finds(make, rack):
    bring(make(), ONE, 2)
    another = make()
    state = another.workload.observe()
    assert state.slots[BLUE].wanted == {ONE: 2}
    assert state.slots[BLUE].ready() == 2, "a way back looks once, and finds it ready"
    assert (state.size, state.captured) == (3, {"blue": {"1.0": 2}, "green": {}})
    another.workload.step(BLUE)
    assert len(rack.writes) == 1, "it was asked for nothing"


def test_another_process_goes_on_with_what_was_under_way(make, rack):
    first = make()
    bring(first, ONE, 2)
    first.workload.converge(BLUE, {TWO: 2})
    first.close()
    bring(make(), TWO, 2)


def test_a_command_that_fails_is_told_and_tried_again_by_whoever_asks_again(make, rack):
    broken = rack.folder / "broken"
    broken.touch()
    fail = f'test -e "{broken}" && {{ echo preparing; echo "there is no artifact of $2"; exit 3; }}'
    put = f'{fail}; echo "$2" > "$1"'
    platform = make(command=["sh", "-c", put, "put", f"{rack.folder}/{{id}}", "{version}"])
    platform.workload.converge(BLUE, {ONE: 1})
    pass_by(platform)
    (one,) = seen(platform).instances
    assert (one.given_up, one.reason) == (True, "the command ended with 3: there is no artifact of 1.0")
    pass_by(platform)
    assert rack.writes == []
    broken.unlink()
    bring(platform, ONE, 1)


def test_a_command_that_cannot_be_started_is_told(make):
    platform = make(command=["/nowhere/put"])
    platform.workload.converge(BLUE, {ONE: 1})
    (one,) = seen(platform).instances
    assert one.given_up
    assert one.reason.startswith("the command cannot be started: ")
    assert "/nowhere/put" in one.reason


def test_the_command_is_told_where_and_what(make, rack):
    platform = make(
        command=["sh", "-c", 'echo "$@" > "$0"', f"{rack.folder}/said", "{slot}", "{id}", "{host}"]
    )
    platform.workload.converge(GREEN, {ONE: 1})
    platform.wait_for_change(1.0)
    assert (rack.folder / "said").read_text().split() == ["green", "green-1", rack.address("")]


def test_one_that_does_not_answer_once_is_not_taken_out(make, rack):
    """Neither by who has heard it before nor by another process."""
    platform = make()
    bring(platform, ONE, 2)
    del rack.writes[:]
    rack.silent = {"blue-1", "blue-2"}
    for one in (platform, make()):
        one.workload.converge(BLUE, {ONE: 2})
        state = seen(one)
        assert state.ready() == 0, "nobody knows what runs there"
        assert "does not say which version runs" in state.unready()
        one.workload.step(BLUE)
    assert rack.writes == []


def test_of_more_than_are_wanted_those_that_are_fit_stay(make, rack):
    platform = make()
    bring(platform, ONE, 3)
    rack.ill = {"blue-1": "answers 503"}
    bring(platform, ONE, 2)
    assert rack.writes[-1] == ("leave", BLUE, ["blue-1"])


def test_of_more_than_are_wanted_one_that_says_nothing_goes_first(make, rack):
    platform = make()
    bring(platform, ONE, 3)
    rack.silent.add("blue-2")
    platform.workload.converge(BLUE, {ONE: 2})
    assert rack.writes[-1] == ("leave", BLUE, ["blue-2"])


def test_emptying_needs_no_answer_and_no_step(make, rack):
    platform = make()
    bring(platform, ONE, 2)
    rack.silent = {"blue-1", "blue-2"}
    make().workload.converge(BLUE, {})
    assert rack.writes[-1] == ("leave", BLUE, ["blue-1", "blue-2"])
    assert not seen(make()).instances


def test_whoever_is_closed_ends_its_command(make):
    platform = make(command=["sleep", "600"])
    platform.workload.converge(BLUE, {ONE: 1})
    (placing,) = platform.workload._placing.values()
    assert placing.ended() is None
    platform.close()
    assert placing.ended() is not None
    assert not placing.said.exists()


@pytest.mark.parametrize("version", ["", "no tag"])
def test_what_cannot_be_a_version_is_refused(make, version):
    with pytest.raises(ConfigError, match="that cannot be a version") as raised:
        make().workload.resolve(Release(version))
    assert repr(version) in raised.value.found


def test_more_than_are_given_are_refused(make, rack):
    with pytest.raises(ConfigError, match="4 instances are more than blue has") as raised:
        make().workload.converge(BLUE, {ONE: 4})
    assert raised.value.where == "platform.workload.targets.blue"
    assert rack.writes == []


def test_two_releases_in_a_slot_are_refused(make):
    with pytest.raises(ConfigError, match="blue holds one release"):
        make().workload.converge(BLUE, {ONE: 1, TWO: 1})


def test_what_somebody_else_captured_is_refused(make):
    with pytest.raises(PlatformError, match="not captured by this platform"):
        make().workload.restore({"red": {}}, BLUE)


def test_what_is_lacking_is_named(make):
    with pytest.raises(ConfigError, match="need more than this") as raised:
        make(command=[], version_url="").workload.check()
    assert raised.value.found == "no platform.workload.command, no platform.workload.version_url"


@pytest.mark.parametrize(
    "wrong",
    [
        {"targets": {"blue": ["a"]}}, {"targets": {"blue": ["a"], "green": []}},
        {"targets": {"blue": ["a"], "green": ["a"]}}, {"targets": {"blue": ["a", "a"], "green": ["b"]}},
        {"version_url": "{host}:8080"}, {"version_url": "file:///etc/version"},
    ],
)  # fmt: skip
def test_options_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        GivenOptions(**wrong)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.0\n", "1.0"), ("1.10", "1.10"), ("v1.0 on web-1", "v1.0"), ('{"version": "1.0"}', "1.0"),
        ('{"version": 1.10}', "1.10"), ('{"version": null}', ""), ("{}", ""), ('"1.0"', "1.0"), ("", ""),
        ("true", "true"),
    ],
)  # fmt: skip
def test_how_a_version_is_read(text, version):
    assert asking.read(text) == version


def test_what_another_one_says_is_not_its_word(rack):
    (rack.folder / "blue-1").write_text("1.0")
    rack.moved["blue-2"] = "blue-1"
    urls = {name: f"http://{rack.address(name)}/{name}" for name in ("blue-1", "blue-2", "blue-3")}
    assert asking.versions(urls) == {"blue-1": "1.0", "blue-2": "", "blue-3": ""}


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://[/", "http://127.0.0.1:no/"])
def test_what_cannot_be_asked_says_nothing(url):
    assert asking.versions({"one": url}) == {"one": ""}


def test_what_comes_while_it_is_looked_has_to_be_healthy_at_looks_in_a_row():
    looks = Looks(2)
    assert looks.first("blue")
    assert not looks.why("old", "", first=True), "a way back looks once, and finds it ready"
    assert not looks.first("blue")
    assert looks.why("new", "initial: it is checked", first=False) == "initial: it is checked"
    assert looks.why("new", "", first=False) == "healthy at 1 of 2 looks in a row"
    assert looks.why("new", "unhealthy: no answer", first=False)
    assert looks.why("new", "", first=False)
    assert not looks.why("new", "", first=False)
