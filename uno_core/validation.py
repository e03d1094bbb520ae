"""Everything about a configuration that can be checked without touching anything, in one report."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from attrs import define, evolve, field, frozen

from uno_core.config.checking import KINDS, LISTED, Checked, Missing, check, check_layers, environments
from uno_core.config.load import DEFAULT_FILE
from uno_core.config.mistakes import Mistakes, nearest
from uno_core.config.nodes import Node, Table, read
from uno_core.config.secrets import SystemSecrets
from uno_core.config.wanted import Overrides
from uno_core.contracts.health import HealthCheckInfo
from uno_core.contracts.judge import JudgeInfo
from uno_core.contracts.metrics import MetricProviderInfo, Reads
from uno_core.contracts.platform import PlatformInfo
from uno_core.contracts.strategy import StrategyInfo
from uno_core.discovery import kind_of
from uno_core.errors import ConfigError, UnoError
from uno_core.gathering import BESIDE
from uno_core.model import Secret
from uno_core.planning import choose
from uno_core.registry import Registry
from uno_core.targeting import thresholds, urls

_WORDS = {key: kind_of(kind).words for key, kind in {**KINDS, **LISTED}.items()}


@frozen(kw_only=True)
class Remark:
    """Something that is no mistake of the file's, and that a person should know.

    kind: `not-installed`, `secret`, `hook`, `platform`, `health`, `metrics`, `state`; `unchecked` where
    a plugin declares no options, which is nobody's fault and never counts.
    """

    kind: str
    message: str
    where: str = ""
    remedy: str = ""


@frozen(kw_only=True)
class Looked:
    """One environment that was looked at."""

    name: str
    kind: str
    application: str
    platform: str
    strategy: str


@frozen(kw_only=True)
class Reference:
    """A secret that the file refers to, and whether it is there; never what it is."""

    reference: str
    where: str
    present: bool


@define
class Report:
    """What was found in a configuration."""

    environments: list[Looked] = field(factory=list)
    mistakes: Sequence[ConfigError] = ()
    remarks: list[Remark] = field(factory=list)
    secrets: list[Reference] = field(factory=list)

    @property
    def warnings(self) -> Sequence[Remark]:
        """The remarks that count as mistakes where a pipeline asks for it."""
        return [remark for remark in self.remarks if remark.kind != "unchecked"]

    def right(self, *, strict: bool = False) -> bool:
        """Whether it can be used; `strict`: and nothing is left to be said of it."""
        return not self.mistakes and not (strict and self.warnings)

    def remark(self, kind: str, message: str, where: str = "", remedy: str = "") -> None:
        """Say something once, in how many environments it may be."""
        made = Remark(kind=kind, message=message, where=where, remedy=remedy)
        if made not in self.remarks:
            self.remarks.append(made)


def validate(path: Path | None, overrides: Overrides, registry: Registry) -> Report:
    """Check a file for one environment, where the overrides name it, or for all that it declares.

    Never raises for what is wrong with the file: that is what the report is for. Nothing is touched; of
    secrets it is only looked whether they are there.
    """
    mistakes, report = Mistakes(), Report()
    if path is None and DEFAULT_FILE.exists():
        path = DEFAULT_FILE
    try:
        root: Node = read(path) if path else Table()
    except ConfigError as error:
        report.mistakes = [error]
        return report
    names = [overrides.environment] if overrides.environment else environments(root)
    for name in names or [""]:
        over = evolve(overrides, environment=name)
        checked = check(root, registry, file=path, overrides=over, mistakes=mistakes)
        if checked is not None:
            _Environment(checked, mistakes, report).look()
    check_layers(root, registry, names, file=path, mistakes=mistakes)
    report.mistakes = mistakes.errors
    return report


@frozen
class _Environment:
    """What one environment's sections need of each other, of the machine, and of a person."""

    checked: Checked
    mistakes: Mistakes
    report: Report

    def look(self) -> None:
        config, report = self.checked.config, self.report
        application = config.application
        report.environments.append(
            Looked(
                name=application.environment,
                kind=application.kind.value,
                application=application.name,
                platform=config.platform.name if config.platform else "",
                strategy=config.strategy,
            )
        )
        for missing in self.checked.missing:
            _tell_missing(report, missing, config.platform.name if config.platform else "")
        for key in self.checked.unchecked:
            name = self.checked.infos[key].name
            report.remark("unchecked", f"{name} declares no options: what stands under {key} was not checked")
        if config.platform is None:
            report.remark(
                "platform", "no platform is named", str(config.file or ""),
                "write platform: NAME, or give --platform NAME with each command",
            )  # fmt: skip
        self._secrets()
        self._hooks()
        for name, options in self._strategies():
            self._thresholds(name, options)
            self._health_urls(name, options)
        self._platform()

    def _strategies(self) -> Iterator[tuple[str, Any]]:
        for key, options in self.checked.options.items():
            if key.startswith("strategies."):
                yield key.partition(".")[2], options

    def _where(self, path: str) -> str:
        line = self.checked.config.where(path)
        return f"{line}, {path}" if line else path

    # What one section needs of another

    def _providers(self) -> Sequence[tuple[MetricProviderInfo, Reads | None]] | None:
        """Who measures, and what each reads: None where its options are wrong. None where that is unknown."""
        infos, options, config = self.checked.infos, self.checked.options, self.checked.config
        keys = [*(["metrics"] if config.metrics else []), *(c.options.path for c in config.more_metrics)]
        found = [(infos.get(key), options.get(key)) for key in keys]
        if config.metrics is None:
            platform = infos.get("platform")
            if not isinstance(platform, PlatformInfo):
                return None
            own = self.checked.registry.infos(MetricProviderInfo).get(platform.metrics)
            declared = self.checked.registry.options(own) if own else None
            found = [*([(own, declared() if declared else {})] if own else []), *found]
        if any(info is None for info, _ in found):
            return None
        return [
            (info, info.reads(made) if made is not None else None)
            for info, made in found
            if isinstance(info, MetricProviderInfo)
        ]

    def _thresholds(self, strategy: str, options: Any) -> None:
        providers, where = self._providers(), self._where(f"strategies.{strategy}.metrics_threshold")
        for metric, one in [item for bounds in thresholds(options) for item in bounds.items()]:
            if providers is None:
                return
            asked = [reads for info, reads in providers if one.provider in ("", info.name)]
            if not providers:
                self.mistakes.add(
                    "there are thresholds, but nothing to measure with", found=metric,
                    expected="a metric provider", where=where, remedy="write metrics: NAME",
                )  # fmt: skip
            elif not asked:
                names = [info.name for info, _ in providers]
                self.mistakes.add(
                    f"{metric} is to be measured by a provider that is not configured", found=one.provider,
                    expected="one of " + ", ".join(names), where=where,
                    remedy=nearest(one.provider, names) or "name it under `more_metrics`",
                )  # fmt: skip
            elif not any(reads is None or reads.knows(metric) for reads in asked):
                known = sorted({name for reads in asked if reads for name in reads.names})
                told = " and ".join(info.name for info, _ in providers if one.provider in ("", info.name))
                self.mistakes.add(
                    f"{told} gives no metric {metric}", found=metric,
                    expected=f"one of {', '.join(known)}", where=where,
                    remedy=nearest(metric, known) or "take it out, or name another provider",
                )  # fmt: skip

    def _health_urls(self, strategy: str, options: Any) -> None:
        known = sorted(
            scheme
            for info in self.checked.registry.infos(HealthCheckInfo).values()
            for scheme in info.schemes
        )
        for url in urls(options):
            scheme, sign, _ = url.partition("://")
            if sign and scheme.lower() not in known:
                self.report.remark(
                    "not-installed", f"no health check that is installed answers for {scheme}://",
                    self._where(f"strategies.{strategy}.health_check_url"),
                    f"pip install uno-health-{'http' if scheme in ('http', 'https') else scheme}",
                )  # fmt: skip

    def _platform(self) -> None:
        """What can be said only where it is known what the application runs on."""
        info, config = self.checked.infos.get("platform"), self.checked.config
        if not isinstance(info, PlatformInfo):
            return
        made = self.checked.options.get("platform")
        if config.state is None and made is not None and info.state_dir(made) is None:
            self.report.remark(
                "state", "journal and locks would lie in files of this machine alone", str(config.file or ""),
                "write state: postgresql://…, so that they outlive a runner of CI",
            )  # fmt: skip
        options = dict(self._strategies())
        chosen = config.strategy or self._default(info, options)
        if chosen and (config.strategy in options or not config.strategy):
            self._evidence(chosen, options.get(chosen))

    def _default(self, platform: PlatformInfo, options: Mapping[str, Any]) -> str:
        """The strategy where none is named; empty where that cannot be known without the platform."""
        config = self.checked.config
        if not config.routed or config.router is not None:
            return ""
        try:
            choice = choose(
                self.checked.registry.infos(StrategyInfo),
                asked="",
                asked_where="",
                application=config.application,
                capabilities=platform.capabilities,
                evidence=bool(self._providers()) and any(map(thresholds, options.values())),
            )
        except UnoError as error:
            self.mistakes.take_any(error)
            return ""
        return choice.info.name

    def _evidence(self, strategy: str, options: Any) -> None:
        config = self.checked.config
        where = str(config.file or "")
        if config.health is None and not list(urls(options)):
            self.report.remark(
                "health", "no health check: an instance counts as well when it is ready", where,
                'write health: {name: http, url: "http://{host}:{port}/health"}',
            )  # fmt: skip
        if not any(thresholds(options)) and not self._compares():
            self.report.remark(
                "metrics", f"no metrics: {strategy} waits by the clock, and looks at health alone", where,
                f"write strategies: {{{strategy}: {{metrics_threshold: {{error_rate: 1%}}}}}}"
                " where the strategy has it",
            )  # fmt: skip

    def _compares(self) -> bool:
        """Whether a judge compares the slots, by counts that somebody has."""
        config, infos = self.checked.config, self.checked.registry.infos(JudgeInfo)
        named = [config.judge, *(config.more_judges or ())]
        judged = any(infos[choice.name].compares for choice in named if choice and choice.name in infos)
        beside = config.more_judges is None and BESIDE in infos
        providers = self._providers()
        return (judged or beside) and (
            providers is None or any(reads is None or reads.counts for _, reads in providers)
        )

    # What has to be there

    def _secrets(self) -> None:
        options: dict[str, Any] = {**self.checked.options, "": self.checked.config.settings}
        for key, made in options.items():
            for path, secret in _secrets_in(made, key):
                self._secret(secret, path.removeprefix("."))

    def _secret(self, secret: Secret, path: str) -> None:
        try:
            SystemSecrets().reveal(secret)
        except ConfigError as error:
            self.report.remark("secret", error.message, self._where(path), error.remedy)
            present = False
        else:
            present = True
        made = Reference(reference=secret.reference, where=self._where(path), present=present)
        if made not in self.report.secrets:
            self.report.secrets.append(made)

    def _hooks(self) -> None:
        """The commands of hooks, as they will be looked for: beside the file, or on the PATH."""
        config = self.checked.config
        folder = config.file.absolute().parent if config.file else Path.cwd()
        hooks = attrs.asdict(config.settings.hooks, recurse=False)
        for phase, hook in hooks.items():
            if hook is None:
                continue
            command = hook.run[0]
            found = shutil.which(str(folder / command)) if os.sep in command else shutil.which(command)
            if found is None:
                self.report.remark(
                    "hook", f"the command of the hook {phase} is not here: {command}",
                    self._where(f"hooks.{phase}.run"),
                    "a path is relative to the folder of the file; `chmod +x` makes it executable",
                )  # fmt: skip


def _tell_missing(report: Report, missing: Missing, platform: str) -> None:
    distribution = missing.distribution
    if missing.key == "state" and missing.name == "platform" and platform:
        distribution = f"uno-platform-{platform}"  # state in the platform comes with the platform
    report.remark(
        "not-installed",
        f"the {_WORDS.get(missing.key, 'strategy')} {missing.name} is not installed:"
        f" what stands under {missing.key} could not be checked",
        f"{missing.where}, {missing.key}" if missing.where else missing.key,
        f"pip install {distribution}",
    )


def _secrets_in(value: Any, path: str) -> Iterator[tuple[str, Secret]]:
    """Every reference to a secret, at any depth, with its key path."""
    if isinstance(value, Secret):
        yield path, value
        return
    inner: Callable[[], Iterator[tuple[Any, Any]]] | None = None
    if attrs.has(type(value)):
        given = attrs.asdict(value, recurse=False)
        inner = lambda: iter(given.items())  # noqa: E731 - one of three ways to go through it
    elif isinstance(value, Mapping):
        inner = lambda: iter(value.items())  # noqa: E731 - likewise
    elif isinstance(value, list | tuple):
        inner = lambda: iter(enumerate(value))  # noqa: E731 - likewise
    for key, item in inner() if inner else ():
        yield from _secrets_in(item, f"{path}.{key}")
