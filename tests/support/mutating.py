"""Configuration files as they come out of a bad day: a good one with things changed in it, by a seed."""

from __future__ import annotations

import random

GOOD = (
    """\
uno: 1
application: checkout
platform: {name: kubernetes, context: prod-eu, namespace: shop, deployment: checkout}
traffic: {router: gateway-api, route: checkout}
state: platform
strategy: canary
strategies:
  canary:
    initial_percentage: 5
    increments: [25, 50, 100]
    increment_interval: 5m
    metrics_threshold: {error_rate: 1%, latency_p95: {max: 300ms}}
  rolling: {batch_size: 25%}
metrics: {name: prometheus, url: "http://prometheus:9090", preset: envoy-gateway}
hooks: {before_deploy: {run: [./migrate.sh], timeout: 10m}}
companions: [deployment/checkout-worker, cronjob/checkout-nightly]
environments:
  prod: {kind: production}
  staging: {strategy: rolling, platform: {context: staging}}
""",
    """\
application: shop
environment: staging
release: {version: 1.10, image: "registry.example/shop"}
platform:
  name: local
  root: /srv/shop
  artifact: "releases/{version}"
  instances: 4
  command: [./shop, --port, "{port}"]
  env: {MODE: fast, N: 3}
  env_file: /etc/shop.env
  grace: 30s
traffic: {listen: "0.0.0.0:8080", timeout: 15s}
state: {directory: /var/lib/uno}
health: {name: http, url: "http://{host}:{port}/health", headers: {Authorization: "${TOKEN}"}}
judge: {name: threshold, least_requests: 50, recent: 2m}
notify: [{name: webhook, url: "${SLACK_URL}", format: slack}]
plugins: {strategy.canary: uno-strategy-canary}
hooks:
  on_rollback: {run: [./tell.sh], on_failure: continue, env: {KEY: {file: key.txt}}}
rollback: {forbid_after: before_traffic}
lock_timeout: 5m
require_digest: no
environments:
  staging: {platform: {instances: 1}}
  prod:
    strategy: {name: blue-green, verify_for: 10m, keep_old_for: 1h}
    state: postgresql://uno@db/uno
  load-test: {kind: testing, strategy: recreate, traffic: none}
""",
)
STRANGE = (
    "~", "null", "no", "yes", "1.10", "010", "0x1F", "1_000", "-1", "1e999", ".inf", ".nan", "5m",
    "5 minutes", "101%", "${TOKEN}", "${}", "{file: secret}", "{file: [a]}", "[]", "{}", "[[]]",
    "{name: }", "{name: [x]}", '""', "'", '"', "&a x", "*a", "&b [*b]",
    "!!python/object:os.system x", "!!binary aGk=", "!!set {a}", "<<: 3", "{<<: *a}", "? complex",
    "|", ">-", "%TAG", "---", "...", "@x", "`x", "a: b: c", "[" * 60, "{a: " * 60, "9" * 400,
    "x" * 3000, "\t", "\x00", "\x1b[31m", "\u2028", "\ufeff", "\U0001f600", "{version}",
    "~nobody/x", "../..", "2024-01-01", "12:30:45", "none", "local", "canary", "postgresql://",
    "://", "s3://x", "{min: 2, max: 1}", "on", "http", "[http, tcp]",
)  # fmt: skip


def mutated(seed: int) -> bytes:
    """One of the good files with one to six things changed in it; always the same for a seed."""
    chance = random.Random(seed)
    text = chance.choice(GOOD)
    for _ in range(chance.randint(1, 6)):
        text = chance.choice(WAYS)(text, chance)
    data = text.encode("utf-8", "surrogatepass")
    if chance.random() < 0.03:
        place = chance.randrange(len(data) + 1)
        data = data[:place] + bytes([chance.randrange(128, 256)]) + data[place:]
    return data


def _line(text: str, chance: random.Random) -> tuple[list[str], int]:
    lines = text.splitlines() or [""]
    return lines, chance.randrange(len(lines))


def _without_a_line(text: str, chance: random.Random) -> str:
    lines, at = _line(text, chance)
    return "\n".join(lines[:at] + lines[at + 1 :])


def _a_line_twice(text: str, chance: random.Random) -> str:
    lines, at = _line(text, chance)
    lines.insert(chance.randrange(len(lines) + 1), lines[at])
    return "\n".join(lines)


def _indented(text: str, chance: random.Random) -> str:
    lines, at = _line(text, chance)
    lines[at] = (
        chance.choice(["  ", "    ", "\t", " "]) + lines[at] if chance.random() < 0.6 else lines[at].lstrip()
    )
    return "\n".join(lines)


def _another_value(text: str, chance: random.Random) -> str:
    lines, at = _line(text, chance)
    key, sign, _ = lines[at].partition(":")
    lines[at] = f"{key}{sign} {chance.choice(STRANGE)}"
    return "\n".join(lines)


def _another_word(text: str, chance: random.Random) -> str:
    words = text.split(" ")
    words[chance.randrange(len(words))] = chance.choice(STRANGE)
    return " ".join(words)


def _misspelt(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    some = chance.choice("abcxyz_:-{}[],&*!|>'\"#%@ \n01.~$")
    return text[:at] + some + text[at + chance.randint(0, 2) :]


def _cut_off(text: str, chance: random.Random) -> str:
    return text[: chance.randrange(len(text) + 1)]


def _one_more_key(text: str, chance: random.Random) -> str:
    key = chance.choice(
        ["platform", "helth", "environments", "strategies", "state", "x", "notify", "hooks", "uno"]
    )
    return f"{text}\n{key}: {chance.choice(STRANGE)}"


def _one_in_another(text: str, chance: random.Random) -> str:
    lines, at = _line(text, chance)
    other = chance.choice(GOOD).splitlines()
    lines[at] = chance.choice(other)
    return "\n".join(lines)


WAYS = (
    _without_a_line, _a_line_twice, _indented, _another_value, _another_value, _another_word, _misspelt,
    _misspelt, _cut_off, _one_more_key, _one_in_another,
)  # fmt: skip
