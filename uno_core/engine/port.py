"""What an engine is: it drives deployments in a world, on a state store, and survives its own end.

The embedded engine is one process a deployment. Another one may spread them over machines; the
contract suite of the test kit asks the same of both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from uno_core.contracts.engine import Listener, Order, Outcome
from uno_core.contracts.services import Services
from uno_core.contracts.state import StateStore
from uno_core.effects.world import World
from uno_core.engine.embedded import Embedded, Hearing
from uno_core.model import Snapshot


class Driving(Protocol):
    """Drives the deployments of one application."""

    def deploy(self, order: Order, *, already: Callable[[Snapshot], bool] | None = None) -> Outcome:
        """Take the application to a release, or back."""

    def resume(self, order: Order, id: str, *, reassert: bool = False) -> Outcome:
        """Go on with a deployment that nobody drives."""

    def rollback(self, order: Order, id: str, why: str, *, take_over: bool = False) -> Outcome:
        """Take the application back to what was captured when the deployment began."""


class Engine(Protocol):
    """An engine, as its plugin makes it: `cls(options, services)`."""

    def driving(self, world: World, store: StateStore, listener: Listener, hearing: Hearing) -> Driving:
        """What drives the deployments of one application in this world."""


class EmbeddedEngine:
    """The engine of uno itself: this process drives, and another one goes on where it dies."""

    def __init__(self, options: Any, services: Services) -> None:
        """It has no options."""

    def driving(self, world: World, store: StateStore, listener: Listener, hearing: Hearing) -> Embedded:
        return Embedded(store=store, world=world, listener=listener, hearing=hearing)
