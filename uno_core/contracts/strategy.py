"""Strategies: plain synchronous Python that takes an application from a snapshot to a release."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic

from attrs import field, frozen
from typing_extensions import TypeVar

from uno_core.contracts.services import Info, Logger
from uno_core.model import DeploymentResult, Kind

if TYPE_CHECKING:
    from uno_core.context import Context

O = TypeVar("O", default=Mapping[str, Any])  # noqa: E741 - the name that the documentation uses


class DeploymentStrategy(ABC, Generic[O]):
    """The base of every strategy.

    Must touch the world only through the context, and must be a deterministic function of what
    the context answers: after a crash it is run again and handed the recorded answers.
    Must not sleep: `context.wait`. May raise any UnoError; whatever it raises means rollback.
    """

    def __init__(self, name: str = "", logger: Logger | None = None, **options: Any) -> None:
        """Keep the options; do no I/O."""
        self.name = name
        self.logger = logger
        self.options: Any = options

    @abstractmethod
    def deploy(self, context: Context[O]) -> DeploymentResult:
        """Take `context.initial` to `context.release`.

        Called once a deployment (and again after a crash, with recorded answers). Reporting success
        is not success: the engine then observes whether the release serves.
        """

    def rollback(self, context: Context[O]) -> DeploymentResult:
        """Take the world back to `context.initial`.

        Called once after a failure, an abort or a bad verdict, when the engine itself has already
        put the traffic back. What is left differing afterwards the engine restores.
        """
        context.restore()
        return DeploymentResult(True, "restored what was there before")


@frozen(kw_only=True)
class Guide:
    """What a person chooses a strategy by."""

    best_for: str
    resources: str
    complexity: str
    rollback_speed: str
    environments: str
    recommended: frozenset[Kind] = field(factory=frozenset)


@frozen(kw_only=True)
class StrategyInfo(Info):
    """A strategy, as registered.

    `needs` names what must be there: `traffic`, `weights` (fine splits of it), `slots` (two of them),
    `mixed` (two releases in one slot), or one of several: `mixed or weights or no traffic`. `outage`
    says that the strategy may leave the application without a ready instance; the plan says so too.
    """

    needs: frozenset[str] = field(factory=frozenset)
    outage: bool = False
    guide: Guide | None = None
