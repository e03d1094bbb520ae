import runpy
import subprocess
import sys
import types

import pytest

import uno_core
from uno.deployment import strategies
from uno.deployment.scripts import blue_green, deploy

DOCUMENTED = [
    "--app-name", "my-app", "--namespace", "my-namespace", "--image-tag", "v1.0.0",
    "--health-check-url", "http://my-app-{env}.example.com/health",
]  # fmt: skip


@pytest.fixture
def called(monkeypatch, tmp_path):
    """What `uno` was called with; it answers 3."""
    calls = []

    def main(argv=None):
        calls.append(argv)
        return 3

    cli = types.ModuleType("uno_core.cli")
    cli.main = main
    monkeypatch.setitem(sys.modules, "uno_core.cli", cli)
    monkeypatch.chdir(tmp_path)
    return calls


@pytest.mark.parametrize("strategy", ["rolling", "canary"])
def test_the_documented_deploy_is_uno_deploy(called, strategy):
    arguments = [
        "--app-name", "my-app", "--environment", "prod", "--platform", "kubernetes",
        "--config-file", "./deployment/config.yaml", "--strategy", strategy,
    ]  # fmt: skip
    assert deploy.main(arguments) == 3
    assert called == [["deploy", "--adopt", *arguments]]


def test_deploy_hands_everything_on(called):
    deploy.main(["--what", "ever", "--help"])
    assert called == [["deploy", "--adopt", "--what", "ever", "--help"]]


def test_the_documented_blue_green(called):
    assert blue_green.main(DOCUMENTED) == 3
    assert called == [
        [
            "deploy",
            "--adopt",
            "--app-name=my-app",
            "--environment=prod",
            "--platform=kubernetes",
            "--strategy=blue-green",
            "--namespace=my-namespace",
            "--image-tag=v1.0.0",
            "--option=strategy.health_check_url=http://my-app-{env}.example.com/health",
        ]
    ]


def test_its_other_options(called):
    blue_green.main(
        ["--app-name", "a", "--image-tag=-x", "--health-check-timeout", "30", "--switch-timeout=2m",
         "--environment", "staging", "--platform", "local", "--config-file", "u.yaml"]
    )  # fmt: skip
    assert called[0][2:] == [
        "--app-name=a",
        "--environment=staging",
        "--platform=local",
        "--config-file=u.yaml",
        "--strategy=blue-green",
        "--image-tag=-x",
        "--option=strategy.health_check_timeout=30",
        "--option=strategy.switch_timeout=2m",
    ]


def test_a_configuration_file_says_where_to_deploy(called, tmp_path):
    blue_green.main(["--app-name", "a", "--image-tag", "1", "--config-file", "u.yaml"])
    (tmp_path / "uno.yaml").write_text("uno: 1\n")
    blue_green.main(["--app-name", "a", "--image-tag", "1"])
    assert not [
        word for words in called for word in words if word.startswith(("--platform", "--environment"))
    ]


def test_what_it_does_not_know_is_handed_on(called):
    blue_green.main([*DOCUMENTED, "--option", "strategy.keep_old_for=0", "--no-wait"])
    assert called[0][-3:] == ["--option", "strategy.keep_old_for=0", "--no-wait"]


@pytest.mark.parametrize("missing", ["--app-name", "--image-tag"])
def test_what_is_required_is_asked_for(called, missing, capsys):
    at = DOCUMENTED.index(missing)
    with pytest.raises(SystemExit) as caught:
        blue_green.main(DOCUMENTED[:at] + DOCUMENTED[at + 2 :])
    assert caught.value.code == 2
    assert missing in capsys.readouterr().err
    assert not called


@pytest.mark.parametrize("script", ["deploy", "blue_green"])
@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
def test_the_exit_code_is_that_of_uno(called, script, monkeypatch):
    monkeypatch.setattr(sys, "argv", [script, *DOCUMENTED])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module(f"uno.deployment.scripts.{script}", run_name="__main__")
    assert caught.value.code == 3
    assert called[0][0] == "deploy"


def test_help_needs_no_deployment():
    done = subprocess.run(
        [sys.executable, "-m", "uno.deployment.scripts.blue_green", "--help"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "--health-check-url" in done.stdout


def test_the_names_of_the_document_are_those_of_the_core():
    for name in strategies.__all__:
        assert getattr(strategies, name) is getattr(uno_core, name)


def test_the_documented_form_of_a_strategy_works():
    class MyCustom(strategies.DeploymentStrategy):
        def __init__(self, logger=None):
            super().__init__("my-custom", logger)

        def deploy(self, context):
            return strategies.DeploymentResult(True, "Deployment succeeded")

    made = MyCustom()
    assert made.name == "my-custom"
    assert made.deploy(None).message == "Deployment succeeded"
