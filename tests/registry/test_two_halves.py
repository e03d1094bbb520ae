"""A workload of one platform with the router of another: each can what its own platform says."""

from uno_core import Application, Kind
from uno_core.assembly import Assembly
from uno_core.config.document import Choice, Config
from uno_core.registry import Registry

PLATFORMS = """
from uno_core import Capabilities, Platform, hookimpl


class Both(Platform):
    workload = router = object()


@hookimpl
def uno_register_platforms():
    return [
        PlatformInfo(
            name="machines", summary="", load=lambda: Both,
            capabilities=Capabilities(steps=True, mixed=True, least_ready=7, granularity=50),
        ),
        PlatformInfo(name="names", summary="", load=lambda: Both, capabilities=Capabilities(granularity=1)),
    ]
"""


def test_whether_it_steps_is_said_by_the_platform_of_the_workload(install):
    install("uno-both", PLATFORMS)

    def capabilities(workload, router):
        application = Application(name="shop", environment="test", kind=Kind.TESTING)
        config = Config(application=application, platform=Choice(name=workload), traffic=Choice(name=router))
        return Assembly(config, Registry.discover()).world.capabilities

    found = capabilities("machines", "names")
    assert (found.steps, found.mixed, found.least_ready, found.granularity) == (True, True, 7, 1)
    found = capabilities("names", "machines")
    assert (found.steps, found.mixed, found.least_ready, found.granularity) == (False, False, 0, 50)
