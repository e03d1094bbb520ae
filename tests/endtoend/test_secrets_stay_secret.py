"""A secret is a reference: what it stands for is used, and is written nowhere that uno writes."""

from __future__ import annotations

import http.server
import secrets
import threading
from pathlib import Path
from urllib.parse import quote

import pytest
from shop import Shop

pytest_plugins = ["postgresql"]
pytestmark = [pytest.mark.component("envoy")]

QUICK = ("verify_for=0s", "drain=0s", "keep_old_for=0s")
LOUD = ("--log-format", "json", "--debug")
HOOK = """\
#!/bin/sh
echo "the key is $KEY, and the file says $(cat {folder}/key.txt)"
echo "$KEY" >> {folder}/hooks.used
test "$UNO_VERSION" != v-unlucky
"""


class Watched(threading.Thread):
    """Keeps every command line that any process of this machine has while it runs."""

    def __init__(self):
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self._over = threading.Event()

    def run(self):
        while not self._over.wait(0.05):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes())
                except OSError:  # it has ended meanwhile
                    continue

    def stop(self):
        self._over.set()
        self.join()


@pytest.fixture
def asked():
    """A server that takes notices: the paths and the headers with which it was asked."""
    seen: list[tuple[str, str]] = []

    class Taking(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen.append((self.path, self.headers.get("X-Key", "")))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port, seen
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def planted():
    """Texts that stand nowhere else on this machine."""
    return {name: f"planted-{secrets.token_hex(12)}" for name in ("header", "file", "hook", "url", "key")}


@pytest.fixture
def shop(tmp_path, planted, asked):
    port, _ = asked
    made = Shop(tmp_path, instances=1)
    (tmp_path / "key.txt").write_text(f"{planted['file']}\n")
    hook = tmp_path / "hook.sh"
    hook.write_text(HOOK.format(folder=tmp_path))
    hook.chmod(0o755)
    text = made.file.read_text().replace(
        'port}/health"}',
        'port}/health", headers: {Authorization: "${PLANTED_HEADER}", X-K: {file: key.txt}}}',
    )
    made.file.write_text(
        text + 'hooks:\n  before_traffic: {run: [./hook.sh], env: {KEY: "${PLANTED_HOOK}"}}\n'
        'notify: [{name: webhook, url: "${PLANTED_URL}", headers: {X-Key: "${PLANTED_KEY}"}}]\n'
    )
    made.environ = {
        "PLANTED_HEADER": planted["header"],
        "PLANTED_HOOK": planted["hook"],
        "PLANTED_URL": f"http://127.0.0.1:{port}/{planted['url']}",
        "PLANTED_KEY": planted["key"],
    }
    yield made
    made.close()


def everything(shop):
    """A good deployment, a bad one, one whose hook fails, and every verb that tells of them."""
    config = ("--config-file", str(shop.file))
    ask = [*config, "--strategy", "blue-green", *(p for o in QUICK for p in ("--option", f"strategy.{o}"))]
    yield shop.uno(*LOUD, "deploy", *ask, "--version", "v1")
    yield shop.uno(*LOUD, "plan", *ask, "--version", "v2", "--out", str(shop.folder / "plan.json"))
    yield shop.uno(*LOUD, "deploy", *ask, "--version", "v2", "--output", "jsonl")
    yield shop.uno(*LOUD, "deploy", *ask, "--version", "v-unlucky", code=3)
    unwell = [*ask, "--option", "strategy.health_check_timeout=2s", "--option", "health.status=418"]
    yield shop.uno(*LOUD, "deploy", *unwell, "--version", "v-unwell", code=3)
    for verb in ("history", "show", "status", "validate"):
        yield shop.uno(*LOUD, verb, *config)
        yield shop.uno(*LOUD, verb, *config, "--output", "json")
    yield shop.uno("schema", *config)
    yield shop.uno(*LOUD, "deploy", *ask, "--version", "v3", "--option", "health.headers.A=1[", code=None)
    literal = shop.file.read_text().replace('"${PLANTED_URL}"', f'"{shop.environ["PLANTED_URL"]}"')
    wrong = shop.folder / "wrong.yaml"
    wrong.write_text(literal)
    yield shop.uno(*LOUD, "validate", "--config-file", str(wrong), code=2)
    yield shop.uno(*LOUD, "deploy", "--config-file", str(wrong), "--version", "v4", code=None)


def check_nowhere(shop, planted, told, watched):
    for ended in told:
        for name, text in planted.items():
            assert text not in ended.out, f"{name} on stdout: {ended.out}"
            assert text not in ended.err, f"{name} on stderr: {ended.err}"
    files = [path for path in shop.root.rglob("*") if path.is_file()]
    files += [shop.folder / "plan.json"]
    assert any(path.name == "journal.db" for path in files) or "postgresql" in shop.file.read_text()
    for path in files:
        data = path.read_bytes()
        for name, text in planted.items():
            assert text.encode() not in data, f"{name} in {path}"
    assert len(watched.seen) > 10
    for line in watched.seen:
        for name, text in planted.items():
            assert text.encode() not in line, f"{name} in {line!r}"


def test_nothing_that_uno_writes_holds_a_secret(shop, planted, asked):
    _, seen = asked
    watched = Watched()
    watched.start()
    try:
        told = list(everything(shop))
    finally:
        watched.stop()
    assert planted["hook"] in (shop.folder / "hooks.used").read_text(), "it was given to the hook"
    assert (f"/{planted['url']}", planted["key"]) in seen, "it was used by the notifier"
    assert any("***" in one.out + one.err for one in told), "what the hook said of it is hidden, not lost"
    check_nowhere(shop, planted, told, watched)


@pytest.mark.component("postgresql")
def test_nor_does_it_hold_the_password_of_the_database(shop, planted, postgresql):
    from postgresql import PASSWORD

    url = postgresql.url()
    in_url = quote(PASSWORD, safe="")
    assert in_url in url
    shop.environ["PLANTED_STATE"] = url
    shop.file.write_text(shop.file.read_text() + 'state: {name: postgresql, url: "${PLANTED_STATE}"}\n')
    watched = Watched()
    watched.start()
    try:
        told = list(everything(shop))
    finally:
        watched.stop()
    told.append(shop.uno(*LOUD, "status", "--config-file", str(shop.file), code=None,
                         environ={"PLANTED_STATE": url.replace("127.0.0.1", "127.0.0.2")}))  # fmt: skip
    check_nowhere(shop, {**planted, "password": PASSWORD, "in the URL": in_url}, told, watched)
