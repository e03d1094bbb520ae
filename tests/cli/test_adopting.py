"""`uno adopt`: what was there before is taken over, and nothing is deployed."""

from __future__ import annotations

import pytest


@pytest.fixture
def foreign(shop):
    """Something of somebody else's stands there."""

    def foreign(*names):
        file = shop.root / "uno.yaml"
        named = f"root: {shop.root}, foreign: [{', '.join(names)}]"
        file.write_text(file.read_text().replace(f"root: {shop.root}", named))
        return shop

    return foreign


def test_it_is_said_before_it_is_done_and_done_once(foreign):
    shop = foreign("this", "that")
    assert "it takes over this" in shop.uno("adopt", "--dry-run").out
    planned = shop.uno("plan", "--version", "v1")
    assert "it takes over that" in planned.out + planned.err
    assert shop.uno("adopt", "--output", "json").json["done"] == ["took over this", "took over that"]
    again = shop.uno("adopt")
    assert (again.code, again.out) == (0, "there is nothing to take over\n")
    assert shop.uno("adopt", "--dry-run", "--output", "json").json["remarks"] == []


def test_a_platform_that_takes_nothing_says_so(shop):
    assert shop.uno("adopt").out == "there is nothing to take over\n"


def test_what_must_not_be_taken_is_told(foreign):
    said = foreign("guarded").uno("adopt")
    assert said.code == 2
    assert "guarded is kept by somebody" in said.err


def test_nothing_is_taken_while_somebody_deploys(foreign):
    shop = foreign("this")
    process = shop.begun("--option", "strategy.hold=1h")
    assert shop.uno("adopt").code == 5
    assert shop.uno("abort").code == 0
    assert shop.end(process).code == 3


def test_nothing_is_taken_where_a_deployment_was_left(foreign):
    shop = foreign("this")
    shop.left("--option", "strategy.hold=1h")
    said = shop.uno("adopt")
    assert said.code == 5
    assert "nobody drives it" in said.err
