"""`uno init`: what it sees, what it writes, and that what it writes can be deployed from."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from uno_core import HealthCheckInfo, PlatformInfo, Sketch, StrategyInfo
from uno_core.beginning import begin, look, write
from uno_core.beginning.starts import arguments
from uno_core.config import nodes, sections
from uno_core.config.load import load
from uno_core.errors import ConfigError
from uno_core.registry import Registry

APP = """\
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path in ("/", "/healthz") else 404)
        self.end_headers()

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Hello).serve_forever()
"""


@pytest.fixture
def place(shop, monkeypatch):
    """A folder in which nothing was begun yet."""
    (shop.root / "uno.yaml").unlink()
    monkeypatch.setenv("KUBECONFIG", str(shop.root / "nowhere"))
    return shop


@pytest.fixture
def release(place):
    """One release in a folder of its own."""
    folder = place.root / "releases" / "v1"
    folder.mkdir(parents=True)
    (folder / "Procfile").write_text("web: python3 app.py $PORT\n")
    (folder / "app.py").write_text(APP)
    return place


def made(place) -> dict:
    return yaml.safe_load((place.root / "uno.yaml").read_text())


def test_it_writes_what_it_sees_and_why(release):
    said = release.uno("init")
    assert said.code == 0
    assert (
        "uno.yaml is written: shop on local, by canary (the default of a production environment)" in said.out
    )
    document = made(release)
    assert document["application"] == "shop"
    assert document["platform"]["command"] == ["python3", "app.py", "{port}"]
    assert document["platform"]["artifact"] == "../releases/{version}"
    assert document["health"] == {"name": "http", "url": "http://{host}:{port}/healthz"}
    assert document["strategies"]["canary"] == {"metrics_threshold": {"error_rate": "1%"}}
    text = (release.root / "uno.yaml").read_text()
    assert "#   releases/v1/Procfile: python3 app.py $PORT" in text
    assert "#   releases/v1/app.py:6: the path /healthz" in text
    assert "# Why canary: the default of a production environment." in text


def test_every_line_that_is_commented_out_works_once_it_is_not(release):
    assert release.uno("init").code == 0
    path = release.root / "uno.yaml"
    lines = [re.sub(r"^( *)#(\w+:)", r"\1\2", line) for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines))
    assert any(line.startswith("    initial_percentage: 10%  # ") for line in lines)
    config = load(path)
    registry = Registry.discover()
    options = sections.strategy_options(config, registry.find(StrategyInfo, "canary"), registry)
    assert options.initial_percentage == 10
    assert options.warm_up == 0


def test_a_file_that_is_there_stays_as_it_is(release):
    path = release.root / "uno.yaml"
    path.write_text("application: mine\n")
    said = release.uno("init")
    assert said.code == 2
    assert "uno.yaml is there already, and was left as it is" in said.err
    assert "--force" in said.err
    assert path.read_text() == "application: mine\n"
    assert release.uno("init", "--force").code == 0
    assert made(release)["application"] == "shop"


def test_a_file_that_appears_meanwhile_stays_too(tmp_path):
    path = tmp_path / "uno.yaml"
    path.write_text("application: another\n")
    with pytest.raises(ConfigError, match="there already"):
        write(path, "application: mine\n")
    assert path.read_text() == "application: another\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_is_said(release):
    said = release.uno("init", "--output", "nowhere/uno.yaml")
    assert said.code == 2
    assert "nowhere/uno.yaml could not be written" in said.err
    assert f"there is no folder {release.root / 'nowhere'}" in said.err


def test_it_can_be_looked_at_alone(release):
    said = release.uno("init", "--output", "-")
    assert said.code == 0
    assert yaml.safe_load(said.out)["application"] == "shop"
    assert not (release.root / "uno.yaml").exists()


def test_options_beat_what_is_seen(release):
    said = release.uno(
        "init", "--app-name", "front", "--environment", "staging", "--strategy", "rolling", "--listen",
        "127.0.0.1:9999", "--health", "up", "--command", "node server.js", "--output", "-",
    )  # fmt: skip
    assert said.code == 0
    document = yaml.safe_load(said.out)
    assert (document["application"], document["environment"]) == ("front", "staging")
    assert document["strategy"] == "rolling"
    assert document["traffic"] == {"listen": "127.0.0.1:9999"}
    assert document["health"]["url"].endswith("/up")
    assert document["platform"]["command"] == ["node", "server.js"]
    assert "asked for by --strategy" in said.out
    assert "its port is in the variable PORT" in said.out


def test_an_environment_of_ones_own_is_declared(release):
    document = yaml.safe_load(release.uno("init", "--environment", "eu-west", "--output", "-").out)
    assert document["environments"] == {"eu-west": {"kind": "production"}}


def test_without_a_command_it_says_what_is_missing_and_writes_nothing(place):
    said = place.uno("init")
    assert said.code == 2
    assert "the platform local has to know the command of the application" in said.err
    assert "uno init --command 'python3 app.py {port}'" in said.err
    assert not (place.root / "uno.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--platform", "lokal"), "did you mean local?"),
        (("--strategy", "canray"), "did you mean canary?"),
        (("--app-name", "two words"), "--app-name is not what it has to be"),
        (("--platform", "filed"), "does not say how a configuration for it begins"),
        (("--listen", "here"), "expected host:port"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(release, arguments, words):
    said = release.uno("init", *arguments)
    assert said.code == 2
    assert words in said.err
    assert not (release.root / "uno.yaml").exists()


def test_a_kubeconfig_is_named_though_nothing_installed_goes_by_it(release, monkeypatch):
    path = release.root / "kube"
    path.write_text(
        "current-context: prod-eu\ncontexts: [{name: prod-eu, context: {namespace: shop, user: me}}]\n"
        "users: [{name: me, user: {token: very-secret}}]\n"
    )
    monkeypatch.setenv("KUBECONFIG", str(path))
    text = release.uno("init", "--output", "-").out
    assert f"#   {path}: context prod-eu, namespace shop (no installed platform goes by it)" in text
    assert "very-secret" not in text


@pytest.mark.parametrize(
    ("name", "content", "command"),
    [
        ("Procfile", "job: ./work\nweb: gunicorn app -b :$PORT\n", ("gunicorn", "app", "-b", ":{port}")),
        ("Procfile", "web: cd src && ./serve\n", ("sh", "-c", "cd src && ./serve")),
        ("package.json", '{"name": "@acme/front", "scripts": {"start": "node s.js"}}', ("node", "s.js")),
        ("package.json", '{"scripts": {"start": "next start"}}', ("npm", "start")),
        ("pyproject.toml", '[project]\nname = "front"\nscripts = {serve = "a:b"}\n', ("serve",)),
        ("Dockerfile", 'FROM x\nEXPOSE 8000/tcp\nCMD ["./serve", "$PORT"]\n', ("./serve", "{port}")),
        ("compose.yaml", "services: {db: {}, w: {ports: ['80:8'], command: ./serve -v}}", ("./serve", "-v")),
    ],
)  # fmt: skip
def test_files_say_how_the_application_starts(tmp_path, name, content, command):
    (tmp_path / name).write_text(content)
    around = look(tmp_path, {})
    assert tuple(around.command) == command
    assert [clue.where for clue in around.clues] == [name]


def test_files_say_more_than_the_start(tmp_path):
    (tmp_path / "Dockerfile").write_text(
        "EXPOSE 8000\nHEALTHCHECK CMD curl -f http://localhost:8000/live || exit 1\n"
    )
    (tmp_path / "compose.yml").write_text("services: {web: {image: acme/front, ports: ['80:8000']}}")
    (tmp_path / "package.json").write_text(json.dumps({"name": "@acme/front"}))
    around = look(tmp_path, {})
    assert (around.port, around.health) == (8000, "/live")
    assert (around.image, around.application) == ("acme/front", "front")


@pytest.mark.parametrize("name", ["package.json", "pyproject.toml", "compose.yaml", "Dockerfile", "Procfile"])
def test_a_file_that_cannot_be_read_is_a_clue_and_no_end(tmp_path, name):
    (tmp_path / name).write_bytes(b'CMD [\xff{"')
    around = look(tmp_path, {})
    assert around.command == ()
    assert around.clues[0].found.startswith("cannot be read: ")


def test_shells_are_left_to_a_shell():
    assert arguments("serve '$HOME'") == ("sh", "-c", "serve '$HOME'")
    assert arguments("A=1 serve") == ("sh", "-c", "A=1 serve")
    assert arguments("serve --port ${PORT:-80}") == ("serve", "--port", "{port}")


def test_several_platforms_have_to_be_chosen_from(tmp_path):
    def platform(name, sketch):
        return PlatformInfo(name=name, summary=name, load=lambda: object, sketch=lambda _: sketch)

    strategies = Registry.discover().infos(StrategyInfo)
    one, two = platform("one", Sketch()), platform("two", Sketch())
    around = look(tmp_path, {})
    with pytest.raises(ConfigError, match="nobody says which platform") as raised:
        begin(Registry.of(one, two, *strategies.values()), around)
    assert "one, two" in raised.value.found
    running = platform("two", Sketch(running="shop"))
    assert (
        begin(Registry.of(one, running, *strategies.values()), around, strategy="recreate").platform == "two"
    )


def test_a_platform_that_sketches_what_it_does_not_take_is_found_out(tmp_path):
    local = Registry.discover().infos(PlatformInfo)["local"]
    bad = PlatformInfo(
        name="bad",
        summary="bad",
        load=local.load,
        options=local.options,
        sketch=lambda _: Sketch(options={"comand": ["x"]}),
    )
    with pytest.raises(ConfigError, match="comand"):
        begin(
            Registry.of(bad, *Registry.discover().infos(StrategyInfo).values()),
            look(tmp_path, {}),
            strategy="recreate",
        )


def test_any_name_of_a_folder_gives_a_configuration(tmp_path):
    for number, name in enumerate(["1.10", "yes", "a: b", "#x", "…", "-", "Ä" * 100]):
        folder = tmp_path / str(number) / name
        folder.mkdir(parents=True)
        (folder / "Procfile").write_text("web: ./serve 'a: #{b}' \"%\" ü\n")
        draft = begin(Registry.discover(), look(folder, {}))
        config = nodes.parse(draft.text, "draft")
        assert config.entries["application"].text == draft.application
        words = [one.text for one in config.entries["platform"].entries["command"].nodes]
        assert words == ["./serve", "a: #{b}", "%", "ü"]


def test_on_a_terminal_it_asks_for_the_little_that_it_cannot_see(place):
    """In a process of its own, at a terminal of its own."""
    driver, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "uno_core", "init"],
        stdin=terminal, stderr=terminal, stdout=subprocess.PIPE, cwd=place.root, text=True,
        env={**place.environ(), "TERM": "dumb"},
    )  # fmt: skip
    os.close(terminal)
    place.started.append(process)
    asked = ""
    answers = iter(
        [
            ("Name of the application [shop]: ", "two words\n"),
            ("63 at most\r\nName of the application [shop]: ", "front\n"),
            ("Command that starts an instance, {port} for its port: ", "./serve {port}\n"),
            ("well (- for none) [-]: ", "/up\n"),
        ]
    )
    for question, answer in answers:
        while question not in asked:
            asked += os.read(driver, 1000).decode()
        os.write(driver, answer.encode())
        asked = ""
    out, _ = process.communicate(timeout=60)
    os.close(driver)
    assert process.returncode == 0
    assert "front on local" in out
    document = made(place)
    assert document["application"] == "front"
    assert document["platform"]["command"] == ["./serve", "{port}"]
    assert document["health"]["url"] == "http://{host}:{port}/up"


@pytest.mark.component("envoy")
def test_a_deployment_from_it_works_and_a_second_one_knows_what_runs(release, request):
    down = [sys.executable, "-m", "uno_core", "local", "down"]
    request.addfinalizer(lambda: subprocess.run(down, cwd=release.root, check=True, capture_output=True))
    assert release.uno("init", "--app-name", "front").code == 0
    said = release.uno("deploy", "--version", "v1", "--option", "strategy.increment_interval=1s")
    assert said.code == 0, said.err
    before = made(release)
    assert release.uno("init", "--force").code == 0
    # The name, the root and the address are those of what runs, though the folder is called otherwise.
    assert made(release) == before
    elsewhere = yaml.safe_load(release.uno("init", "--app-name", "other", "--output", "-").out)
    assert elsewhere["platform"]["root"] == ".uno-local-other-prod"
    assert elsewhere["traffic"] != before["traffic"]


def test_the_health_check_of_a_draft_is_one_that_is_installed(tmp_path):
    infos = Registry.discover()
    without = [i for k in (PlatformInfo, StrategyInfo) for i in infos.infos(k).values()]
    (tmp_path / "Procfile").write_text("web: ./serve\n")
    text = begin(Registry.of(*without), look(tmp_path, {}), platform="local", strategy="recreate").text
    assert "health" not in yaml.safe_load(text)
    with_one = Registry.of(*without, *infos.infos(HealthCheckInfo).values())
    text = begin(with_one, look(tmp_path, {}), platform="local", strategy="recreate").text
    assert '#health: {name: http, url: "http://{host}:{port}/health"}' in text


def test_a_plugin_whose_sketch_fails_is_left_out_and_told_when_it_is_named(tmp_path: Path):
    def fails(_):
        raise KeyError("nobody caught me")

    bad = PlatformInfo(name="bad", summary="bad", load=lambda: object, sketch=fails)
    good = PlatformInfo(name="good", summary="good", load=lambda: object, sketch=lambda _: Sketch())
    registry = Registry.of(bad, good, *Registry.discover().infos(StrategyInfo).values())
    around = look(tmp_path, {})
    assert begin(registry, around, strategy="recreate").platform == "good"
    with pytest.raises(Exception, match="bad failed in its plugin"):
        begin(registry, around, platform="bad", strategy="recreate")
