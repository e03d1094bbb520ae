"""`platform.slots`: what is different in the place of each slot, and what is asked where it runs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from uno_core import ConfigError, Figures, NoData, Query, Slot
from uno_core.assembly import Assembly
from uno_core.config.load import load
from uno_core.config.wanted import Overrides
from uno_core.gathering import InPlaces
from uno_core.registry import Registry
from uno_core.validation import validate

TOP = """\
application: shop
environment: development
platform:
  name: local
  command: [./serve]
  instances: 3
  root: here
"""
SLOTS = """\
  slots:
    blue: {root: east, traffic: {listen: "127.0.0.1:8081"}}
    green: {root: west, instances: 5, traffic: {listen: "127.0.0.1:8082"}}
"""
NAMES = """\
traffic:
  name: dns
  record: shop.example.com
  addresses: {blue: [192.0.2.1], green: [192.0.2.2]}
  rfc2136: {server: 192.0.2.53, zone: example.com, key: uno, secret: "${TSIG}"}
"""


@pytest.fixture
def written(tmp_path):
    def written(text):
        (tmp_path / "uno.yaml").write_text(text)
        return tmp_path / "uno.yaml"

    return written


def test_what_stands_above_holds_for_both(written):
    made = Assembly(load(written(TOP + SLOTS + NAMES)), Registry.discover())
    blue, green = made._places[Slot.BLUE], made._places[Slot.GREEN]
    assert (blue.command, green.command) == (("./serve",), ("./serve",))
    assert (blue.instances, green.instances) == (3, 5)
    assert (blue.root.name, green.root.name) == ("east", "west")
    assert (blue.traffic.listen, green.traffic.listen) == ("127.0.0.1:8081", "127.0.0.1:8082")
    assert made.runs_on == "local, one for each slot; traffic by dns"
    assert made.platform.options == blue


def test_one_place_is_told_as_one(written):
    made = Assembly(load(written(TOP)), Registry.discover())
    assert made.runs_on == "local"
    assert made._places == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TOP + SLOTS, "two places need a router that leads to both"),
        (TOP + "  slots: {blue: {root: east}}\n" + NAMES, "platform.slots is what is different"),
        (TOP + "  slots: 5\n" + NAMES, "platform.slots is what is different"),
        (TOP + "  slots: {blue: {root: east}, green: west}\n" + NAMES, "a place is a mapping"),
        (TOP + "  slots: {blue: {rot: east}, green: {}}\n" + NAMES, "platform.slots.blue"),
        (TOP + "  slots: {blue: {}, green: {instances: none}}\n" + NAMES, "platform.slots.green"),
    ],
)
def test_what_is_wrong_with_it_is_told_with_its_place(written, text, told):
    made = Assembly(load(written(text)), Registry.discover())
    with pytest.raises(ConfigError) as caught:
        _ = made.platform_options, made.world
    assert told in str(caught.value)
    report = validate(written(text), Overrides(), Registry.discover())
    assert any(told in str(mistake) for mistake in report.mistakes), report.mistakes


class Counted:
    """A provider that tells where it was asked."""

    def __init__(self, requests):
        self.requests = requests

    def window(self, query, start, end):
        return Figures(requests=self.requests)

    def sample(self, query):
        return NoData(f"nothing of {query.slot}")


def test_metrics_are_asked_where_the_slot_runs():
    asked = InPlaces({Slot.BLUE: Counted(1), Slot.GREEN: Counted(2)})
    now = datetime.now(UTC)
    for slot, requests in ((Slot.BLUE, 1), (Slot.GREEN, 2)):
        query = Query(application="shop", environment="test", slot=slot)
        assert asked.window(query, now, now).requests == requests
        assert asked.sample(query) == NoData(f"nothing of {slot}")
    asked.assure()
