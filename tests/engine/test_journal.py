"""What the journal promises whatever names, clocks and other processes do."""

from __future__ import annotations

import multiprocessing
from datetime import timedelta

from scripted import Scripted, switch

from uno_core import Application, Status
from uno_core.journal.sqlite import FileStore
from uno_core.simulation.stage import Stage


def test_two_applications_whose_names_join_to_the_same_do_not_block_each_other():
    journal, ids = FileStore(), []
    for name, environment in (("shop", "eu-prod"), ("shop-eu", "prod")):
        stage = Stage(application=Application(name=name, environment=environment), store=journal)
        stage.live("v1")
        outcome = stage.deploy(Scripted(switch), "v2")
        assert outcome.status is Status.SUCCESSFUL
        ids.append(outcome.deployment)
    assert ids == ["shop-eu-prod-1", "shop-eu-prod-2"]


def test_the_newest_is_the_one_that_began_last_though_the_clock_was_set_back():
    stage = Stage()
    stage.live("v1")
    stage.deploy(Scripted(switch), "v2")
    stage.clock._start -= timedelta(hours=1)
    stage.deploy(Scripted(switch), "v3")
    assert [record.version for record in stage.store.list()] == ["v3", "v2"]


def opened(path, together, told):
    together.wait()
    try:
        FileStore(path=path).close()
        told.put("")
    except Exception as problem:  # noqa: BLE001 - whatever it is, the test has to see it
        told.put(str(problem))


def test_a_new_journal_can_be_opened_by_several_at_once(tmp_path):
    context = multiprocessing.get_context("fork")
    together, told = context.Barrier(6), context.Queue()
    for n in range(8):
        path = tmp_path / str(n) / "journal.db"
        processes = [context.Process(target=opened, args=(path, together, told)) for _ in range(6)]
        for process in processes:
            process.start()
        assert [told.get(timeout=30) for _ in processes] == [""] * 6
        for process in processes:
            process.join()
