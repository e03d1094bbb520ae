"""The three whole files of the page: one is carried out, of the others it is told what is not installed."""

import json
import os
import socket
import subprocess
import sys

import pytest
import requests

ONE_MACHINE = "root: /srv/shop, artifact"
SHOP = f"""\
#!{sys.executable}
import http.server, os, sys
class Shop(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write((os.path.basename(os.getcwd()) + " " + os.environ["GREETING"]).encode())
    def log_message(self, *_): pass
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.ThreadingHTTPServer(("127.0.0.1", port), Shop).serve_forever()
"""


@pytest.fixture
def examples(fences):
    """The files by their platform."""
    whole = [text for text in fences("configuration", "yaml") if text.startswith("uno: 1\napplication")]
    return {name: next(t for t in whole if name in t) for name in (ONE_MACHINE, "kubernetes", "aws-alb")}


def uno(folder, *arguments, **environ):
    done = subprocess.run(
        [sys.executable, "-m", "uno_core", *arguments], cwd=folder, text=True, capture_output=True,
        check=False, env={**os.environ, **environ},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.component("envoy")
def test_the_file_for_one_machine_is_carried_out(examples, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        at = f"127.0.0.1:{probe.getsockname()[1]}"
    root = tmp_path / "srv"
    text = examples[ONE_MACHINE].replace("/srv/shop", str(root)).replace("0.0.0.0:8080", at)
    (tmp_path / "uno.yaml").write_text(text.replace("/etc/shop.env", str(tmp_path / "shop.env")))
    (tmp_path / "shop.env").write_text("GREETING=hello\n")
    for version in ("v1", "v2"):
        place = root / "releases" / version
        place.mkdir(parents=True)
        (place / "shop").write_text(SHOP)
        (place / "shop").chmod(0o755)
    uno(tmp_path, "validate")
    try:
        uno(tmp_path, "deploy", "--version", "v1")
        assert requests.get(f"http://{at}/", timeout=5).text == "v1 hello"
        uno(tmp_path, "deploy", "--version", "v2", "--option", "strategy.increment_interval=2s",
            "--option", "strategy.drain=2s")  # fmt: skip
        assert requests.get(f"http://{at}/", timeout=5).text == "v2 hello"
        history = json.loads(uno(tmp_path, "history", "--output", "json"))["deployments"]
        assert [one["strategy"] for one in history] == ["canary", "canary"]
    finally:
        uno(tmp_path, "local", "down", "--root", str(root))


@pytest.mark.parametrize(
    ("platform", "missing"),
    [
        ("kubernetes", set()),
        ("aws-alb", set()),
    ],
)
def test_of_the_others_it_is_told_what_is_not_installed_and_nothing_else(
    examples, tmp_path, platform, missing
):
    (tmp_path / "uno.yaml").write_text(examples[platform])
    (tmp_path / "migrate.sh").write_text("#!/bin/sh\n")
    (tmp_path / "migrate.sh").chmod(0o755)
    said = json.loads(uno(tmp_path, "validate", "--output", "json", SLACK_URL="http://127.0.0.1:1/x"))
    assert (said["valid"], said["mistakes"], said["notes"]) == (True, [], [])
    told = {warning["message"].partition(" is not installed")[0] for warning in said["warnings"]}
    assert told == {f"the {name}" for name in missing}
    assert all(warning["remedy"].startswith("pip install uno-") for warning in said["warnings"])
    assert all(secret["present"] for secret in said["secrets"])
