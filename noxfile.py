"""Every task of the house. `nox` runs what CI runs; `nox --list` says what there is.

Needs `uv` beside `nox`: `pip install nox uv`.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import nox
import uv

UV = uv.find_uv_bin()
HERE = Path(__file__).parent
PLUGINS = sorted(path.parent for path in HERE.glob("plugins/*/pyproject.toml"))
PACKAGES = [
    "uno_core",
    *sorted(str(init.parent.relative_to(HERE)) for init in HERE.glob("plugins/*/uno*/__init__.py")),
]

NOTHING_COLLECTED = 5
"""What pytest ends with where every test of a plugin needs a real component."""

nox.options.sessions = ["lint", "types", "imports", "tests", "isolated", "docs", "measures"]
nox.options.default_venv_backend = "none"
nox.options.error_on_missing_interpreters = True


def run(session: nox.Session, *command: str, **more) -> None:
    """Run in the project's own environment, made or brought up to date as needed."""
    session.run(UV, "run", "--quiet", "--all-packages", *command, external=True, **more)


@nox.session
def dev(session):
    """Make .venv with every package of the house, editable."""
    session.run(UV, "sync", "--all-packages", external=True)


@nox.session
def demo(session):
    """Watch a canary on this machine."""
    run(session, "uno", "demo", *session.posargs)


@nox.session
def explore(session):
    """Every instant hit by everything that can go wrong: `-- --seconds N`, `--replay`, `--without`."""
    run(session, "python", "-m", "tests.exploration", *session.posargs)


@nox.session
def lint(session):
    """Style and mistakes: ruff."""
    run(session, "ruff", "check", ".")
    run(session, "ruff", "format", "--check", ".")


@nox.session
def types(session):
    """mypy --strict, as of the oldest Python and of the newest."""
    for version in ("3.11", "3.14"):
        run(session, "mypy", "--python-version", version, *PACKAGES)


@nox.session
def imports(session):
    """The layers of the design."""
    run(session, "lint-imports")


@nox.session
def tests(session):
    """Everything that pytest finds; with real components four at a time, since they mostly wait."""
    if session.posargs:
        return run(session, "pytest", *session.posargs)
    run(session, "pytest", "-n", "2", "--dist", "worksteal", "-m", "not component")
    run(session, "pytest", "-n", "4", "--dist", "worksteal", "-m", "component and not alone")
    return run(session, "pytest", "-m", "alone")


@nox.session
def isolated(session):
    """Each plugin from its wheel, beside uno-core alone: its own tests pass without the other plugins.

    Those that need a real component are run by `tests`, which has taken minutes over them already.
    """
    with tempfile.TemporaryDirectory(prefix="uno-isolated-") as made:
        work = Path(made)
        wheels = work / "wheels"
        # By way of the source distribution, so that nothing stale of the tree gets into a wheel.
        session.run(UV, "build", "-q", "--all-packages", "--out-dir", str(wheels), external=True)
        for plugin in PLUGINS:
            if session.posargs and plugin.name not in session.posargs:
                continue
            place = work / plugin.name
            shutil.copytree(plugin / "tests", place / "tests")
            shutil.copy(plugin / "pyproject.toml", place / "tests")
            shutil.copytree(HERE / "tests" / "support", place / "support")
            (place / "conftest.py").write_text('pytest_plugins = ["uno_core.testing.fixtures"]\n')
            (place / "pytest.ini").write_text(
                "[pytest]\naddopts = --import-mode=importlib\npythonpath = support\n"
                "markers =\n    component(name): a real one\n"
            )
            session.run(UV, "venv", "--quiet", str(place / "venv"), external=True)
            python = place / "venv" / "bin" / "python"
            session.run(
                UV, "pip", "install", "--quiet", "--python", str(python), "--find-links", str(wheels),
                f"{plugin.name}", "uno-core[testing]", external=True,
            )  # fmt: skip
            session.chdir(place)
            # Nothing of the checkout may hide what the wheel lacks.
            session.run(
                str(python),
                "-m",
                "pytest",
                "-q",
                "-m",
                "not component",
                "tests",
                external=True,
                env={"PYTHONSAFEPATH": "1"},
                success_codes=[0, NOTHING_COLLECTED],
            )
            session.chdir(HERE)
        all_together(session, work, wheels)


def all_together(session: nox.Session, work: Path, wheels: Path) -> None:
    """All wheels in one environment: every name is there once, and nothing is broken."""
    venv = work / "all"
    session.run(UV, "venv", "--quiet", str(venv), external=True)
    session.run(
        UV, "pip", "install", "--quiet", "--python", str(venv / "bin/python"), "--find-links", str(wheels),
        "uno-deployment[all]", external=True,
    )  # fmt: skip
    session.chdir(work)
    session.run(str(venv / "bin" / "uno"), "plugins", external=True)
    session.chdir(HERE)


@nox.session
def mutate(session):
    """Ten thousand configurations with something wrong in them: `-- SEED` begins elsewhere."""
    environ = {"UNO_MUTATIONS": "10000", "UNO_SEED": (session.posargs or ["1"])[0]}
    run(session, "pytest", "-q", "-s", "tests/config/test_mutated.py", env=environ)


@nox.session
def reference(session):
    """Write the reference of the configuration anew, from the declarations."""
    run(session, "python", "docs/reference.py")


@nox.session
def docs(session):
    """Build the documentation; what is wrong in it fails. Its examples are run by the tests."""
    run(session, "--group", "docs", "sphinx-build", "-W", "-q", "-b", "html", "docs", "docs/_build/html")


@nox.session
def bench(session):
    """What it costs, as ratios within one run: start-up, a step, ten thousand that wait, moving traffic.

    And what the judges are worth: false rollbacks, and how soon they see what is bad. `-- verdicts` is
    that alone. `-- --short` leaves out what needs real processes, tries few canaries, and keeps the
    numbers in build/.
    """
    if "verdicts" in session.posargs:
        options = [given for given in session.posargs if given != "verdicts"]
        return measured(session, "verdicts", *options)
    short = "--short" in session.posargs
    measured(session, "engine", *session.posargs)
    if not short:
        run(session, "python", "tests/bench/going_on.py")
        run(session, "python", "tests/bench/switching.py", *session.posargs)
    return measured(session, "verdicts", *(["--short"] if short else []))


def measured(session: nox.Session, name: str, *options: str) -> None:
    """Run one of the benches, and keep its numbers in build/."""
    kept = HERE / "build" / ("bench.json" if name == "engine" else f"{name}.json")
    kept.parent.mkdir(exist_ok=True)
    with kept.open("w") as numbers:
        run(session, "python", f"tests/bench/{name}.py", *options, stderr=numbers)


@nox.session
def measures(session):
    """The short form of `bench`, which asserts none of the times, but what the judges are worth."""
    session.notify("bench", ["--short"])


@nox.session
def cluster(session):
    """A Kubernetes to play with on this machine, until Ctrl-C: the one that the tests use."""
    # Ctrl-C reaches it too: it ends its processes before nox would kill it.
    run(session, "python", "-m", "tests.cluster", *session.posargs, interrupt_timeout=15)


@nox.session
def build(session):
    """Wheels and source distributions of every package, in dist/."""
    session.run(UV, "build", "--all-packages", external=True)
