"""What can be shown without a process: files, wishes, histograms, environment."""

import errno
import json
import math
import os

import pytest
from attrs import evolve

from uno_core import PlatformError, Release, Slot, whole
from uno_platform_local.agent.endings import last_end
from uno_platform_local.files import locked, read_json, write_json
from uno_platform_local.metrics import histogram
from uno_platform_local.proxy import routes, split_of
from uno_platform_local.specification import base_environment
from uno_platform_local.wish import SlotWish, Wish, read_wish, write_wish

BLUE, GREEN = Slot.BLUE, Slot.GREEN
ONE, TWO = Release("1"), Release("2")


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "desired.json"
    write_json(path, {"old": True})

    def full(_handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(PlatformError, match="No space left") as caught:
        write_json(path, {"old": False})
    assert caught.value.remedy
    assert read_json(path) == {"old": True}
    assert list(tmp_path.iterdir()) == [path]


def test_a_lock_that_is_held_is_waited_for_and_then_told(tmp_path):
    with (
        locked(tmp_path / "lock"),
        pytest.raises(PlatformError, match="has held"),
        locked(tmp_path / "lock", timeout=0.05),
    ):
        pass


def test_of_an_old_report_no_more_is_believed_than_was_wanted_throughout():
    wish = Wish().asking(BLUE, {ONE: 3}, 0)
    seen = wish.slot(BLUE).generation
    assert wish.asking(BLUE, {ONE: 2, TWO: 1}, seen).slot(BLUE).floor == {ONE: 2}
    emptied = wish.asking(BLUE, {}, seen)
    assert emptied.asking(BLUE, {ONE: 3}, seen).slot(BLUE).floor == {}


def test_the_same_again_is_no_new_generation_but_cancels_a_retirement():
    wish = Wish().asking(BLUE, {ONE: 1}, 0).retiring(BLUE, 5.0)
    again = wish.asking(BLUE, {ONE: 1, TWO: 0}, 1)
    assert (again.generation, again.slot(BLUE).retire_at) == (1, None)


def test_a_wish_survives_the_disk(platform):
    platform.layout.make()
    slot = SlotWish(generation=3, counts={ONE: 2, TWO: 1}, floor={ONE: 1}, retire_at=7.5)
    wish = Wish(generation=3, slots={BLUE: slot})
    write_wish(platform.layout, wish)
    assert read_wish(platform.layout) == wish


def report(platform, generation, ready, at):
    row = {"id": "blue-1", "release": {"version": "1", "artifact": "", "config": ""}, "ready": ready}
    row |= {"reason": "" if ready else "is being started", "host": "127.0.0.1", "port": 1, "pid": 1}
    value = {"at": at, "generations": {"blue": generation}, "slots": {"blue": [row]}}
    platform.layout.status.write_text(json.dumps(value))


def test_an_unseen_generation_is_never_reported_ready(platform):
    platform.layout.make()
    now = platform.services.clock.now().timestamp()
    wish = Wish().asking(BLUE, {ONE: 1}, 0)
    write_wish(platform.layout, wish)
    report(platform, 1, ready=True, at=now)
    assert platform.workload.observe().slots[BLUE].holds({ONE: 1})
    write_wish(platform.layout, wish.asking(BLUE, {}, 1).asking(BLUE, {ONE: 1}, 1))
    state = platform.workload.observe().slots[BLUE]
    assert state.ready() == 0
    assert "has not seen" in state.unready()


def test_an_old_report_is_not_believed(platform):
    platform.layout.make()
    write_wish(platform.layout, Wish().asking(BLUE, {ONE: 1}, 0))
    report(platform, 1, ready=True, at=platform.services.clock.now().timestamp() - 60)
    assert "uno local up" in platform.workload.observe().slots[BLUE].unready()


def test_observing_a_root_that_does_not_exist_writes_nothing(make, options, tmp_path):
    platform = make(evolve(options, root=str(tmp_path / "nowhere")))
    assert platform.workload.observe().slots[BLUE].instances == ()
    assert (platform.router.observe().split, platform.router.in_force()) == ({}, {})
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("split", [{}, whole(BLUE), {BLUE: 99.99, GREEN: 0.01}, {BLUE: 33.33, GREEN: 66.67}])
def test_a_split_is_read_back_as_it_was_written(split):
    value = routes(split, "1", timeout=15, slot_hosts="{slot}.example.com")
    assert split_of(value["resources"][0]) == split


def test_buckets_become_counts_between_edges_in_seconds():
    name = 'envoy_cluster_external_upstream_rq_time_bucket{envoy_cluster_name="blue",le='
    text = "\n".join(f'{name}"{edge}"}} {n}' for edge, n in (("0.5", 1), ("25", 4), ("+Inf", 6)))
    assert histogram(text) == {0.0005: 1, 0.025: 3, math.inf: 2}


def test_how_a_process_ended_is_read_from_the_supervisors_log(tmp_path):
    log = tmp_path / "supervisord.log"
    log.write_text(
        "2026-01-01 10:00:00,100 INFO spawned: 'blue-1' with pid 7\n"
        "2026-01-01 10:00:00,350 WARN exited: blue-1 (exit status 3; not expected)\n"
        "2026-01-01 10:00:01,000 INFO spawned: 'blue-2' with pid 8\n"
        "2026-01-01 10:00:13,000 WARN exited: blue-2 (terminated by SIGKILL; not expected)\n"
    )
    assert last_end(log, "blue-1") == "exited with code 3 after 0.2 s"
    assert last_end(log, "blue-2") == "terminated by SIGKILL after 12.0 s"
    assert last_end(log, "blue-3") == ""


def test_nothing_of_the_deployer_is_inherited_but_who_and_where(monkeypatch):
    monkeypatch.setenv("CI_SECRET", "hush")
    assert "CI_SECRET" not in base_environment()
    assert base_environment()["PATH"] == os.environ["PATH"]
