"""Back to what served before, later: the last one, or any version of the history."""

import pytest

SHORT = ("--option", "strategy.hold=1s")


@pytest.fixture
def history(shop):
    """v2, v3 and v4 were deployed one after the other."""
    shop.world.live("v1")
    for version in ("v2", "v3", "v4"):
        assert shop.uno("deploy", "--version", version, *SHORT).code == 0
    return shop


def serving(shop):
    split = shop.world.split()
    live = next(slot for slot, percent in split.items() if percent == 100.0)
    return sorted(set(shop.world.versions(live)))


def test_the_last_one_is_taken_back(history):
    assert history.uno("rollback").code == 0
    assert serving(history) == ["v3"]


def test_naming_what_served_before_takes_the_last_one_back(history):
    said = history.uno("rollback", "--to", "v3")
    assert said.code == 0
    assert "shop-test-3 rolled_back: v3 serves again" in said.out


def test_any_version_of_the_history_can_serve_again(history):
    said = history.uno("rollback", "--to", "v2", "--reason", "v3 and v4 lose orders")
    assert said.code == 0
    assert "shop-test-4 successful: v2 serves again" in said.out
    assert serving(history) == ["v2"]
    row = history.uno("history", "--output", "json").json["deployments"][0]
    assert (row["strategy"], row["version"]) == ("straight-back", "v2")
    assert "v3 and v4 lose orders" in row["reason"]


def test_the_way_back_can_be_taken_back(history):
    assert history.uno("rollback", "--to", "v2").code == 0
    assert history.uno("rollback").code == 0
    assert serving(history) == ["v4"]


def test_what_serves_already_is_left(history):
    said = history.uno("rollback", "--to", "v4")
    assert said.code == 0
    assert "v4 serves already: nothing to do" in said.out


def test_a_version_that_never_served_is_refused_with_those_that_did(history):
    said = history.uno("rollback", "--to", "v9")
    assert said.code == 2
    assert "v9 never served here" in said.err
    assert "one of v4, v3, v2" in said.err


def test_an_attempt_that_was_rolled_back_never_served(history):
    process = history.start("deploy", "--version", "v5", "--option", "strategy.hold=1h")
    history.until(lambda: history.world.split().get("green", 0) == 50.0)
    process.terminate()
    assert history.end(process).code == 3
    assert history.uno("rollback", "--to", "v5").code == 2


def test_a_driver_that_dies_on_the_way_is_gone_on_from(history):
    process = history.start("rollback", "--to", "v2")
    for line in process.stderr:
        if "start v2" in line:
            break
    process.kill()
    history.end(process)
    said = history.uno("resume")
    if said.code == 2:  # it was quicker than the kill
        assert "successful" in said.err
    else:
        assert said.code == 0
    assert serving(history) == ["v2"]


def test_the_status_tells_of_what_was_taken_back_last(history):
    """An attempt that went back by itself is newer, and says nothing of what serves now."""
    process = history.start("deploy", "--version", "v5", "--option", "strategy.hold=1h")
    history.until(lambda: history.world.split().get("green", 0) == 50.0)
    process.terminate()
    assert history.end(process).code == 3
    assert history.uno("rollback", "--reason", "v4 too").code == 0
    said = history.uno("status").out
    assert "v3 serves (" in said
    assert "shop-test-3: v4 by swap, rolled_back" in said
