"""The command: writes a configuration, starts a load, deploys three releases, and tells what happened.

It uses uno as anybody would: `uno deploy` on a configuration file, in processes of their own.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from uno_platform_local.demo.summary import Answer, chart, failures, read, seconds_bad

RATE = 150
CONNECTIONS = 8
CALM = 2.0  # seconds of plain traffic before the first change and after the last, for the chart
SHOP = "shop"
FAULTY = "v3"
VERSIONS = ("v1", "v2", FAULTY)

_THRESHOLDS = "{error_rate: 5%, latency_p95: 500ms}"
_OPTIONS: Mapping[str, str] = {
    "canary": "{initial_percentage: 10, increments: [25, 50, 100], increment_interval: 4s, drain: 1s,"
    f" metrics_threshold: {_THRESHOLDS}}}",
    "blue-green": f"{{verify_for: 5s, drain: 1s, metrics_threshold: {_THRESHOLDS}}}",
    "rolling": f"{{batch_size: 1, pause_between: 3s, metrics_threshold: {_THRESHOLDS}}}",
    "recreate": "{health_check_timeout: 5s}",
}
_EXPECTED = {"v1": 0, "v2": 0, FAULTY: 3}


def configuration(root: Path, port: int, strategy: str) -> str:
    """The file that the demo deploys with; a newcomer may keep it."""
    flags = " ".join(["faulty", *(["sick"] if strategy == "recreate" else [])])
    command = [sys.executable, "-m", "uno_platform_local.demo.launch", "{port}", "{version}", FAULTY, flags]
    return f"""\
uno: 1
application: {SHOP}
environment: development
platform:
  name: local
  root: {root}
  instances: 3
  command: {json.dumps(command)}
  grace: 5s
traffic: {{listen: "127.0.0.1:{port}"}}
health: {{name: http, url: "http://{{host}}:{{port}}/health"}}
strategy: {strategy}
strategies:
  {strategy}: {_OPTIONS[strategy]}
look_every: 1s
"""


@click.command()
@click.option(
    "--strategy",
    type=click.Choice(list(_OPTIONS)),
    default="canary",
    show_default=True,
    help="How v2 and v3 are deployed.",
)
@click.option("--port", type=int, default=0, help="Port of the proxy on 127.0.0.1; a free one by default.")
@click.option("--keep", is_flag=True, help="Leave everything running, and say how to go on by hand.")
def demo(strategy: str, port: int, keep: bool) -> None:
    """Deploy three releases of a sample application on this machine, under load.

    v1 is live, v2 replaces it, v3 answers with errors and is rolled back by itself. About a minute;
    everything lies in a temporary directory, and is gone at the end.
    """
    root = Path(tempfile.mkdtemp(prefix="uno-demo-"))
    file = root / "uno.yaml"
    port = port or _free_port()
    file.write_text(configuration(root / "shop", port, strategy), encoding="utf-8")
    fine = False
    try:
        _say(f"The configuration, {file}:")
        click.echo("\n".join(f"    {line}" for line in file.read_text("utf-8").splitlines()))
        fine = _tell(root, port, strategy, file)
    finally:
        if keep:
            _say(f"Still running at http://127.0.0.1:{port}/ - look at it, and end it:")
            uno = f"{sys.executable} -m uno_core"
            click.echo(f"    {uno} status --config-file {file}")
            click.echo(f"    {uno} local down --root {root / 'shop'} && rm -r {root}")
        else:
            _uno("local", "down", "--root", str(root / "shop"), quiet=True)
            shutil.rmtree(root, ignore_errors=True)
    sys.exit(0 if fine else 1)


def _tell(root: Path, port: int, strategy: str, file: Path) -> bool:
    """The story; whether it went as it should."""
    codes: dict[str, int] = {}
    _say("v1 goes out: the first deployment.")
    codes["v1"] = _uno("deploy", "--config-file", str(file), "--version", "v1")
    if codes["v1"]:
        return False
    with _load(port, root / "load") as written:
        time.sleep(CALM)
        _say(f"{RATE} requests a second are running. v2 goes out by {strategy}.")
        codes["v2"] = _uno("deploy", "--config-file", str(file), "--version", "v2")
        _say(f"{FAULTY} goes out the same way, and answers with errors.")
        codes[FAULTY] = _uno("deploy", "--config-file", str(file), "--version", FAULTY)
        time.sleep(CALM)
    answers = read(written)
    _summary(answers, strategy, codes)
    lost = {version: n for version, n in failures(answers).items() if version != FAULTY}
    return codes == _EXPECTED and (strategy == "recreate" or not lost)


@contextmanager
def _load(port: int, path: Path) -> Iterator[Path]:
    arguments = ["127.0.0.1", str(port), str(RATE), str(CONNECTIONS), str(path)]
    load = subprocess.Popen([sys.executable, "-m", "uno_platform_local.demo.load", *arguments])
    try:
        yield path
    finally:
        load.terminate()
        load.wait(timeout=60)


def _uno(*arguments: str, quiet: bool = False) -> int:
    """Run uno itself, in a process of its own. It hears Ctrl-C by itself, and ends as it then should."""
    process = subprocess.Popen(
        [sys.executable, "-m", "uno_core", *arguments],
        stdout=subprocess.DEVNULL if quiet else None,
        stderr=subprocess.DEVNULL if quiet else None,
    )
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            click.echo("waiting for the deployment to go back", err=True)


def _summary(answers: Sequence[Answer], strategy: str, codes: Mapping[str, int]) -> None:
    failed = failures(answers)
    click.echo()
    _say("What the load saw:")
    for line in chart(answers, VERSIONS):
        click.echo(f"  {line}")
    click.echo("            1, 2, 3: answered by v1, v2, v3; x: failed")
    click.echo()
    total = len(answers)
    for version in (*VERSIONS, "-"):
        sent = sum(answer.version == version for answer in answers)
        if sent:
            name = "no release" if version == "-" else version
            click.echo(f"  {name:>10}: {sent:6} requests, {failed.get(version, 0)} failed")
    lost = sum(n for version, n in failed.items() if version != FAULTY)
    click.echo(f"  {'all':>10}: {total:6} requests, {lost} lost beside those of the bad release")
    bad = seconds_bad(answers, FAULTY)
    if bad is not None:
        click.echo(f"  {bad:.1f} s from the first bad answer of {FAULTY} until the traffic was back")
    if strategy == "recreate":
        click.echo(
            "  recreate stops the old release before it starts the new one: what was lost is that outage"
        )
    for version, expected in _EXPECTED.items():
        if codes.get(version) != expected:
            click.secho(f"  {version}: uno deploy ended {codes.get(version)}, expected {expected}", fg="red")


def _say(text: str) -> None:
    click.secho(f"\n{text}", bold=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
