"""How a configuration is begun: what is around in a folder, and what a platform makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

from uno_core.model import Json


@frozen(kw_only=True)
class Clue:
    """Something that was seen around. kind: `releases`, `procfile`, `compose`, `kubeconfig` …"""

    kind: str
    where: str
    found: str


@frozen(kw_only=True)
class Surroundings:
    """What `uno init` knows of an application before it asks a platform. Empty means not known.

    folder: where the configuration will lie; relative paths in it are meant from there. command: the
    argument list that starts an instance, `{port}` where its port belongs. port: the one that it
    listens on by itself. health: the path that says whether it is well. listen: where clients shall
    connect, `host:port`. releases: the subfolder with a folder for each release. cluster: `context` and
    `namespace` of a kubeconfig.
    """

    folder: Path
    application: str = ""
    environment: str = "prod"
    command: Sequence[str] = ()
    image: str = ""
    port: int | None = None
    health: str = ""
    listen: str = ""
    releases: str = ""
    cluster: Mapping[str, str] = field(factory=dict)
    clues: Sequence[Clue] = ()


@frozen(kw_only=True)
class Sketch:
    """How a platform begins in a folder.

    options: of the platform; traffic: of its own `traffic` section. notes: a comment by the key that it
    stands beside, `root` or `traffic.listen`. needs: the facts without which it cannot begin, by their
    name in Surroundings; what is asked of a person. instance_url: how a check by HTTP reaches an instance,
    without the path. running: the application that this platform runs here already. uses: the kinds of
    clues that it goes by. next: what is to be done before the first deployment.
    """

    options: Mapping[str, Json] = field(factory=dict)
    traffic: Mapping[str, Json] = field(factory=dict)
    notes: Mapping[str, str] = field(factory=dict)
    needs: Sequence[str] = ()
    instance_url: str = ""
    running: str = ""
    uses: Sequence[str] = ()
    next: Sequence[str] = ()
