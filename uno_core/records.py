"""What the state store knows of an application: its deployments, who drives, how each was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define

from uno_core.assembly import config_folder
from uno_core.context import Context
from uno_core.contracts.state import Lease, Record
from uno_core.contracts.strategy import DeploymentStrategy, StrategyInfo
from uno_core.engine.recorded import Recorded
from uno_core.errors import ConfigError, StateError
from uno_core.journal.lock import describe
from uno_core.journal.origin import origin, who
from uno_core.model import DeploymentResult, Json, Release, Status
from uno_core.planning import Choice, UnderWay
from uno_core.straight import NAME, StraightBack, info
from uno_core.targeting import Target, Targeting
from uno_core.wire import from_json

RECENT = 20
"""Deployments among which the one is looked for that changed last."""


class Restoring(DeploymentStrategy[Any]):
    """The way back of every strategy, where the one that deployed cannot be had any more."""

    def deploy(self, context: Context[Any]) -> DeploymentResult:  # noqa: ARG002 - nothing is deployed with it
        return DeploymentResult(False, "only the way back is left of this strategy")


@define(slots=False)
class Records(Targeting):
    """One application in one environment, and what became of it so far."""

    def last(self) -> Record:
        """The application's last deployment. Raises ConfigError where there is none."""
        records = self.history()
        application = self.config.application
        if not records:
            raise ConfigError(
                f"{application.name} was never deployed in {application.environment}",
                where=str(self.state_dir),
                remedy="uno deploy",
            )
        return records[0]

    def last_changed(self) -> Record | None:
        """The newest deployment, or an older one that was taken back after that had ended."""
        records = self.history(limit=RECENT)
        if not records or not records[0].status.final:
            return records[0] if records else None
        return max(records, key=lambda record: record.updated)

    def history(self, limit: int = 1000) -> Sequence[Record]:
        """The deployments of the application, the newest first; empty where there is no journal."""
        if not self.store.exists():
            return ()
        application = self.config.application
        return self.store.list(application=application.name, environment=application.environment, limit=limit)

    def named(self, id: str) -> Record:
        """A deployment by its id, or by its number alone. Raises ConfigError where there is none."""
        records = self.history()
        for record in records:
            if record.id in (id, f"{self.config.application.key}-{id}"):
                return record
        raise ConfigError(
            f"there is no deployment {id}",
            found=id,
            expected="one of " + ", ".join(r.id for r in records[:5])
            if records
            else "a deployment in the journal",
            where=str(self.state_dir),
            remedy="uno history lists them",
        )

    def last_seen(self, record: Record) -> Json:
        """What its driver saw last: step, split, evidence; without what only the next driver needs."""
        seen = self.store.last_checkpoint(record.id)
        return {k: v for k, v in seen.items() if k != "memo"} if isinstance(seen, Mapping) else None

    def under_way(self) -> UnderWay | None:
        """The deployment of the application that has not ended, and who drives it; None where none is."""
        records = self.history(limit=1)
        if not records or records[0].status.final:
            return None
        record = records[0]
        return UnderWay(
            id=record.id,
            version=record.version,
            status=record.status.value,
            driver=describe(record.driver) if record.driver else "",
            driver_alive=self.driven(),
        )

    def driven(self) -> bool:
        """Whether a living process drives a deployment of the application now."""
        return self.store.holder(self.config.application.key) is not None

    def holder(self) -> Lease | None:
        """Who holds the lock of the application."""
        return self.store.holder(self.config.application.key)

    def ended(self, record: Record) -> bool:
        """Whether it has ended, or nobody drives it any more."""
        now = self.store.get(record.id)
        return now is None or now.status.final or not self.driven()

    def note_deed(self, record: Record, did: str, **more: Json) -> None:
        """Keep in the history what a person did with a deployment, beside who, and from where.

        Where the store is away it is only logged: what is done for the users does not wait for that.
        """
        facts = {**origin(config_folder(self.config)), **more}
        try:
            at = self.clock.now()
            self.store.answer(self.store.signal(record.id, did, facts, by=who(), at=at), "done")
        except StateError as problem:
            self.logger.warning("what was done does not stand in the history", did=did, problem=str(problem))

    def signal(self, kind: str, payload: Mapping[str, Json], by: str) -> tuple[Record, int]:
        """Leave a word for the driver of the running deployment.

        Raises StateError where nobody drives one.
        """
        record = self.last()
        if record.status.final or not self.driven():
            raise StateError(
                f"no deployment of {record.application} is under way",
                found=f"{record.id} is {record.status.value}"
                + ("" if record.status.final else ", and nobody drives it"),
                remedy="uno deploy begins one"
                if record.status.final and kind != "abort"
                else "uno rollback takes the last one back"
                + ("" if record.status.final else ", uno resume goes on with it"),
            )
        return record, self.store.signal(record.id, kind, payload, by=by, at=self.clock.now())

    def _to_take_back(self) -> Record:
        """The newest deployment that took effect: attempts that failed by themselves are passed over.

        One that a person took back already is not: going back twice by mistake must not go two back.
        """
        newest = self.last()
        for record in self.history():
            served = Recorded(self.store.entries(record.id, "deploy")).served
            if served or not record.status.final or record.status not in (Status.ROLLED_BACK, Status.FAILED):
                return record
        return newest

    def _served(self) -> Sequence[Record]:
        """The deployments that were seen to serve, the newest first."""
        return [r for r in self.history() if Recorded(self.store.entries(r.id, "deploy")).served]

    def _straight_back(self, version: str, *, forbidden: bool = False) -> Target:
        """What takes the application to a version that served before, as it was then.

        forbidden: also over what a deployment since then forbade. Raises ConfigError where none did, where
        that is forbidden, or where it cannot be started again: nothing was touched.
        """
        served = self._served()
        record = next((r for r in served if r.version == version), None)
        if record is None:
            known = list(dict.fromkeys(r.version for r in served))[:10]
            raise ConfigError(
                f"{version} never served here",
                expected="one of " + ", ".join(known) if known else "a version of the history",
                where="--to",
                remedy="uno history shows them; `uno deploy --version` deploys any other",
            )
        release = from_json(record.params["release"], Release)
        self._check_recalled([release])
        then: Any = record.params["options"]
        url = then.get("health_check_url") if isinstance(then, Mapping) else None
        for since in () if forbidden else self.history():
            if since.id == record.id:
                break
            self._refuse_forbidden(since)
        # No hook of today: it may well migrate to what that version does not know.
        options = {"url": url, "outage": bool(record.params.get("outage"))}
        return self._straight(release, options, companions=self.config.settings.companions)

    def _forbidden(self, record: Record) -> str:
        """Why it may not be taken back; empty where it may."""
        after = str(record.params.get("forbid_after", ""))
        return Recorded(self.store.entries(record.id)).forbidden(after)

    def _refuse_forbidden(self, record: Record) -> None:
        if after := self._forbidden(record):
            raise ConfigError(
                f"{record.id} is not taken back: {after}",
                found=f"it is {record.status.value}",
                expected="a deployment that may be taken back",
                where="rollback.forbid_after",
                remedy="deploy a version that mends it, with --stable SLOT where two slots have traffic; or,"
                " once what cannot be undone has been looked after, `uno rollback --even-forbidden`",
            )

    def _straight(self, release: Release, options: Mapping[str, Json], **beside: Any) -> Target:
        made = info(outage=bool(options["outage"]))
        return Target(
            choice=Choice(info=made, why="it served before"),
            strategy=StraightBack(made.name, self.logger),
            options=options,
            release=release,
            **beside,
        )

    def _check_recalled(self, releases: Sequence[Release]) -> None:
        """Raises ConfigError where the platform knows that one cannot be started again."""
        if self.world.capabilities.recalls:
            for release in releases:
                self.world.workload.recall(release)  # type: ignore[attr-defined]  # declared: Recalling

    def _recorded(self, record: Record) -> Target:
        """What made a deployment: its strategy, with the options that it had."""
        if record.strategy == NAME:
            options: Any = record.params["options"]
            return self._straight(from_json(record.params["release"], Release), options, **_beside(record))
        found = self.registry.find(StrategyInfo, record.strategy, where=record.id)
        options = self._recorded_options(found, record)
        return Target(
            choice=Choice(info=found, why=f"made {record.id}"),
            strategy=self.registry.strategy(found, options, self.logger),
            options=options,
            release=from_json(record.params["release"], Release),
            **_beside(record),
        )

    def _plain(self, record: Record) -> Target:
        """The same without the strategy's plugin, which is gone, broken, or takes other options now."""
        outage = bool(record.params.get("outage"))
        plain = StrategyInfo(name=record.strategy, summary="restores", load=lambda: Restoring, outage=outage)
        return Target(
            choice=Choice(info=plain, why=f"made {record.id}"),
            strategy=Restoring(record.strategy, self.logger),
            options=record.params["options"],
            release=from_json(record.params["release"], Release),
            **_beside(record),
        )

    def _recorded_options(self, info: StrategyInfo, record: Record) -> Any:
        """The options that the deployment had, not those of the configuration of today."""
        declared = self.registry.options(info)
        written: Any = record.params["options"]
        return written if declared is None else from_json(written, declared)


def _beside(record: Record) -> Mapping[str, Any]:
    """The hooks and companions that the deployment was begun with, whatever is configured today."""
    names = ("hooks", "forbid_after", "companions")
    return {name: record.params[name] for name in names if name in record.params}


def check_same_plugins(record: Record, now: Mapping[str, str]) -> None:
    """Raises ConfigError where a deployment was begun with other plugins than are installed now."""
    then = record.plugins
    others = [
        f"{name}: {then.get(name, 'none')} then, {now.get(name, 'none')} now"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]
    if others:
        raise ConfigError(
            f"{record.id} was begun with other plugins than are installed here",
            found="; ".join(others),
            expected="the same distributions and versions",
            where=record.id,
            remedy="install what it was begun with, or `uno resume --changed-plugins`: it stops where the"
            " strategy asks for something else than before; or `uno rollback`",
        )
