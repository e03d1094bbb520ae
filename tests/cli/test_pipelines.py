"""The scripts of docs/pipelines.md: every exit code leads to what the page says, and with a real uno too."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml

PAGE = Path(__file__).parents[2] / "docs" / "pipelines.md"
CODES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 130, 137, 143)
GATE = "strategies: {swap: {gate: true}}\nnotify: ci\n"


def fence(name):
    return re.search(rf"^```\{{code-block\}} \w+\n:caption: {re.escape(name)}\n(.*?)^```$", PAGE.read_text(),
                     re.MULTILINE | re.DOTALL)[1]  # fmt: skip


def github():
    jobs = yaml.safe_load(fence(".github/workflows/deploy.yml"))["jobs"]
    deploy, cleanup = (step["run"] for step in jobs["deploy"]["steps"][2:])
    return {"deploy": deploy, "cleanup": cleanup, "promote": jobs["promote"]["steps"][2]["run"]}


def gitlab():
    jobs = yaml.safe_load(fence(".gitlab-ci.yml"))
    return {
        "deploy": "\n".join(jobs["deploy"]["script"]),
        "cleanup": "\n".join(jobs["deploy"]["after_script"]),
        **{name: "\n".join(jobs[name]["script"]) for name in ("promote", "rollback", "resume")},
    }


def jenkins():
    scripts = re.findall(r"sh '''\n(.*?)'''", fence("Jenkinsfile"), re.DOTALL)
    return dict(zip(("deploy", "promote", "cleanup"), map(textwrap.dedent, scripts), strict=True))


SHELLS = {github: ("bash", "-e"), gitlab: ("bash", "-eo", "pipefail"), jenkins: ("sh", "-xe")}
"""How each CI runs a script: GitHub without `shell:`, the runner of GitLab in an image with bash, Jenkins."""

UNO = """#!/bin/sh
echo "$@" >> "$UNO_LOG"
exit "$(cat "$UNO_CODES/$1" 2>/dev/null || echo 0)"
"""


class Job:
    """A working directory in which scripts run, with a `uno` that ends as it is told."""

    def __init__(self, folder, uno=UNO):
        self.folder = folder
        (folder / "bin").mkdir()
        script = folder / "bin" / "uno"
        script.write_text(uno)
        script.chmod(0o755)
        self.log = folder / "log"
        self.log.touch()
        self.environ = {
            **os.environ,
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "UNO_LOG": str(self.log),
            "UNO_CODES": str(folder),
            "VERSION": "2.4.1",
            "GITHUB_OUTPUT": str(folder / "outputs"),
            "GITHUB_RUN_ID": "7",
            "GITLAB_USER_LOGIN": "ann",
            "BUILD_NUMBER": "7",
        }

    def ends(self, verb, code):
        (self.folder / verb).write_text(str(code))

    def run(self, ci, part, **more):
        done = subprocess.run(
            [*SHELLS[ci], "-c", ci()[part]], cwd=self.folder, env={**self.environ, **more}, text=True,
            capture_output=True, check=False,
        )  # fmt: skip
        assert "command not found" not in done.stderr
        assert "syntax error" not in done.stderr.lower()
        return done.returncode

    @property
    def asked(self):
        return self.log.read_text().splitlines()

    @property
    def outputs(self):
        path = self.folder / "outputs"
        return dict(line.split("=", 1) for line in path.read_text().splitlines()) if path.exists() else {}


@pytest.fixture
def job(tmp_path):
    return Job(tmp_path)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("ci", SHELLS, ids=lambda ci: ci.__name__)
def test_a_job_ends_as_the_page_says(job, ci, code):
    job.ends("deploy", code)
    ended = job.run(ci, "deploy")
    assert job.asked == ["deploy --environment prod --version 2.4.1 --no-wait"]
    if code == 6 and ci is not gitlab:
        assert ended == 0, "the pipeline goes on to its gate"
    else:
        assert ended == code


def test_gitlab_goes_on_after_a_gate_and_after_nothing_else():
    jobs = yaml.safe_load(fence(".gitlab-ci.yml"))
    assert jobs["deploy"]["allow_failure"] == {"exit_codes": [6]}
    assert all(jobs[name]["when"] == "manual" for name in ("promote", "rollback", "resume"))


@pytest.mark.parametrize("code", CODES)
def test_github_hands_the_code_to_the_next_job(job, code):
    job.ends("deploy", code)
    job.run(github, "deploy")
    assert job.outputs == {"code": str(code)}
    jobs = yaml.safe_load(fence(".github/workflows/deploy.yml"))["jobs"]
    assert jobs["promote"]["if"] == "needs.deploy.outputs.code == '6'"


@pytest.mark.parametrize("code", CODES)
def test_jenkins_asks_only_at_a_gate(job, code):
    job.ends("deploy", code)
    job.run(jenkins, "deploy")
    assert (job.folder / "uno.code").read_text().strip() == str(code)
    assert "readFile('uno.code').trim() == '6'" in fence("Jenkinsfile")


def cleaned(job, ci, code):
    """What the cleanup asks for after a deployment that ended with this code; None where it was killed."""
    if code is not None:
        job.ends("deploy", code)
        job.run(ci, "deploy")
    job.log.write_text("")
    ended = job.run(ci, "cleanup", CODE=job.outputs.get("code", ""))
    return job.asked, ended


@pytest.mark.parametrize("code", [None, *CODES], ids=str)
@pytest.mark.parametrize("ci", SHELLS, ids=lambda ci: ci.__name__)
def test_only_what_was_cut_short_is_cleaned_up(job, ci, code):
    asked, ended = cleaned(job, ci, code)
    expected = dict.fromkeys((None, 1, 130, 137, 143), "tend --environment prod --option tend=rollback")
    if ci is jenkins:  # there the answer was no
        expected[6] = "rollback --environment prod --reason rejected"
    assert asked == ([expected[code]] if code in expected else [])
    assert ended == 0


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("ci", [github, jenkins], ids=lambda ci: ci.__name__)
def test_a_cleanup_fails_where_a_person_is_needed(job, ci, code):
    job.ends("tend", code)
    _, ended = cleaned(job, ci, None)
    assert ended == (0 if code in (0, 3) else code)


@pytest.mark.parametrize("ci", SHELLS, ids=lambda ci: ci.__name__)
def test_a_job_that_promotes_ends_as_uno_does(job, ci):
    for code in CODES:
        job.ends("promote", code)
        assert job.run(ci, "promote") == code
    assert job.asked[0].startswith("promote --full --environment prod --reason approved ")


def test_gitlab_goes_back_and_on_by_hand(job):
    for code in CODES:
        job.ends("rollback", code)
        job.ends("resume", code)
        assert job.run(gitlab, "rollback") == code
        assert job.run(gitlab, "resume") == (0 if code in (0, 2, 6) else code)


@pytest.mark.parametrize("ci", SHELLS, ids=lambda ci: ci.__name__)
def test_a_version_is_no_script(job, ci):
    job.environ["VERSION"] = '1"; touch pwned; echo "$(touch pwned)'
    job.run(ci, "deploy")
    assert not (job.folder / "pwned").exists()
    assert len(job.asked) == 1


@pytest.mark.parametrize("name", [".github/workflows/deploy.yml", ".gitlab-ci.yml"])
def test_no_template_of_a_ci_stands_in_a_script(name):
    for part in (github() if "github" in name else gitlab()).values():
        assert "${{" not in part


@pytest.fixture
def real(shop, tmp_path):
    """The same with the real uno, on an application with a gate."""
    path = shop.root / "uno.yaml"
    path.write_text(path.read_text().replace("environment: test\n", "environments: {prod: {}}\n") + GATE)
    work = tmp_path / "work"
    work.mkdir()
    made = Job(work, f'#!/bin/sh\ncd "{shop.root}" && exec "{sys.executable}" -m uno_core "$@"\n')
    made.environ.update(shop.environ(), PATH=made.environ["PATH"], VERSION="v2")
    shop.world.live("v1")
    return made


@pytest.mark.parametrize("ci", SHELLS, ids=lambda ci: ci.__name__)
def test_a_deployment_waits_at_its_gate_and_is_promoted(real, shop, ci):
    assert real.run(ci, "deploy") == (6 if ci is gitlab else 0)
    assert shop.world.split() == {"blue": 50.0, "green": 50.0}
    if ci is not jenkins:
        assert real.run(ci, "cleanup", CODE="6") == 0
        assert shop.world.split() == {"blue": 50.0, "green": 50.0}
    assert real.run(ci, "promote") == 0
    assert shop.world.split() == {"blue": 0.0, "green": 100.0}


@pytest.mark.parametrize("ci", SHELLS, ids=lambda ci: ci.__name__)
def test_what_was_killed_goes_back(real, shop, ci):
    shop.left("--environment", "prod", "--option", "strategy.hold=1h", "--option", "strategy.gate=false")
    assert real.run(ci, "cleanup", CODE="") == (3 if ci is gitlab else 0)
    assert shop.world.split() == {"blue": 100.0, "green": 0.0}


def test_jenkins_takes_back_what_nobody_approved(real, shop):
    assert real.run(jenkins, "deploy") == 0
    assert real.run(jenkins, "cleanup") == 0
    assert shop.world.split() == {"blue": 100.0, "green": 0.0}


def test_a_real_step_of_github_has_the_outputs_of_uno(real, shop, monkeypatch):
    path = real.folder / "outputs"
    assert real.run(github, "deploy", GITHUB_ACTIONS="true") == 0
    text = path.read_text()
    assert re.search(r"^status<<(\w+)\npaused\n\1$", text, re.MULTILINE)
    assert re.search(r"^exit_code<<(\w+)\n6\n\1$", text, re.MULTILINE)
    assert text.endswith("code=6\n")
