"""`uno validate`: everything that can be said of a configuration without touching anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs
import click

from uno_core import _log
from uno_core.cli import failing, printing
from uno_core.cli.opening import Request, configured, debug, output
from uno_core.config.load import load_choices
from uno_core.config.wanted import Overrides
from uno_core.model import Json
from uno_core.registry import Registry
from uno_core.validation import Remark, Report
from uno_core.validation import validate as look


@click.command()
@configured()
@click.option("--strict", is_flag=True, help="For pipelines: what is only warned of is a mistake as well.")
@output("json")
@debug
@click.pass_context
def validate(ctx: click.Context, request: Request, strict: bool, output: str) -> None:
    """Check a configuration: every environment that it declares, or the one that is named.

    Nothing is touched. Of plugins that are not installed it says so, with the name to install them by;
    of secrets only whether they are there. Exit code 0, or 2 where anything is wrong.
    """
    over = Overrides(
        application=request.app_name,
        environment=request.environment,
        platform=request.platform,
        strategy=request.strategy,
        namespace=request.namespace,
        adopt=request.adopt,
        options=request.option,
    )
    registry = Registry.discover(choices=load_choices(request.config_file))
    report = look(request.config_file, over, registry)
    if output == "json":
        printing.document(_facts(report, strict))
    else:
        for line in _told(report, strict):
            printing.out(line)
    if not report.right(strict=strict):
        ctx.exit(2)


def _told(report: Report, strict: bool) -> Iterator[str]:
    for error in report.mistakes:
        yield failing.plain(error)
    for remark in report.remarks:
        yield _line(remark, strict)
    for seen in report.environments:
        by = f", {seen.strategy}" if seen.strategy else ""
        runs = f" on {seen.platform}" if seen.platform else ""
        yield f"{seen.application} in {seen.name} ({seen.kind}){by}{runs}"
    if report.secrets:
        there = sum(reference.present for reference in report.secrets)
        yield f"secrets: {there} of {len(report.secrets)} are there"
    yield _summary(report, strict)


def _line(remark: Remark, strict: bool) -> str:
    label = "note" if remark.kind == "unchecked" else "error" if strict else "warning"
    rows = [(name, text) for name in ("where", "remedy") if (text := getattr(remark, name))]
    return "\n".join([f"{label}: {remark.message}", *(f"  {name:<9} {text}" for name, text in rows)])


def _summary(report: Report, strict: bool) -> str:
    counts = [(len(report.mistakes), "mistake"), (len(report.warnings), "warning")]
    told = ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts if count)
    if not told:
        return "nothing is wrong with it"
    return told if not report.right(strict=strict) else f"it can be used; {told}"


def _facts(report: Report, strict: bool) -> Mapping[str, Json]:
    mistakes: list[Mapping[str, Json]] = [_log.hide(error.as_json()) for error in report.mistakes]
    return {
        "valid": report.right(strict=strict),
        "strict": strict,
        "environments": [attrs.asdict(seen) for seen in report.environments],
        "mistakes": mistakes,
        "warnings": [attrs.asdict(remark) for remark in report.warnings],
        "notes": [attrs.asdict(remark) for remark in report.remarks if remark not in report.warnings],
        "secrets": [attrs.asdict(reference) for reference in report.secrets],
    }
