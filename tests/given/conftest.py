import pytest
from given_rack import Rack, RackPlatform

from uno_core.simulation.clock import VirtualClock


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def rack(tmp_path):
    folder = tmp_path / "rack"
    folder.mkdir()
    made = Rack(folder)
    yield made
    made.close()


@pytest.fixture
def make(rack, services):
    """The platform, as one process more has it; options as keywords."""
    made = []

    def make(**options):
        made.append(RackPlatform(rack, services, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()
