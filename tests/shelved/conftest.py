import pytest
from drawer import Drawer, MyStore


@pytest.fixture
def drawer():
    return Drawer()


@pytest.fixture
def connect(drawer, services):
    """A store as one more machine has it; what is special about its shelf by keyword."""
    return lambda **more: MyStore({"drawer": drawer, **more}, services)


@pytest.fixture
def store(connect):
    return connect()
