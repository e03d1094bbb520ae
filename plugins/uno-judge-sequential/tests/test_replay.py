"""`uno replay`: the judge on recorded windows, out of tables and out of documents."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from uno_core import Bounds, Figures, Seen, Slot, Window, to_json
from uno_judge_sequential.judge import SequentialJudge
from uno_judge_sequential.options import SequentialOptions
from uno_judge_sequential.replaying.command import replay

HEADER = "start,end,canary_requests,canary_errors,stable_requests,stable_errors"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
FINE, BAD, BROKEN = (500, 1, 4500, 9), (500, 4, 4500, 9), (50, 50, 450, 1)


def asked(path, *flags):
    return CliRunner().invoke(replay, [str(path), *flags])


def table(tmp_path, rows, header=HEADER):
    file = tmp_path / "windows.csv"
    file.write_text("\n".join([header, *rows]) + "\n")
    return file


def lines(*counts, seconds=10):
    return [",".join(map(str, (seconds * k, seconds * (k + 1), *row))) for k, row in enumerate(counts)]


def document(path, *flags):
    told = asked(path, "--output", "json", *flags)
    assert told.exit_code == 0, told.output
    return json.loads(told.stdout)


def by_margin(told):
    return {row["margin"]: row for row in told["replays"]}


def windows(*counts, share=10.0):
    return [
        Window(
            start=START + timedelta(seconds=10 * k),
            end=START + timedelta(seconds=10 * (k + 1)),
            slot=Slot.GREEN,
            candidate=Figures(requests=n_c, errors=x_c),
            stable=Figures(requests=n_s, errors=x_s),
            share=share,
        )
        for k, (n_c, x_c, n_s, x_s) in enumerate(counts)
    ]


def shown(*sources):
    """The document of `uno show --output json`, as far as it is read."""
    measured = {f"provider-{k}": to_json(list(rows)) for k, rows in enumerate(sources, 1)}
    return json.dumps({"schema_version": 1, "deployment": {"id": "shop-1"}, "measured": measured})


def test_a_broken_canary_is_rolled_back_at_its_second_window(tmp_path):
    told = document(table(tmp_path, lines(FINE, FINE, BROKEN, BROKEN, BROKEN)))
    for row in told["replays"]:
        assert row["verdict"] == "fail"
        assert row["rolled_back"] == {"window": 4, "at": "1970-01-01T00:00:40+00:00", "after_seconds": 40}
        assert row["bad_answers"] == 102
        assert row["greatest_log_e"] >= row["log_e"] > row["limit"]
    assert (told["windows"], told["canary_errors"], told["stable_requests"]) == (5, 152, 10350)


def test_margins_differ_in_what_they_let_pass(tmp_path):
    """1.8 times as many errors."""
    rows = by_margin(document(table(tmp_path, lines(*[(1000, 18, 9000, 90)] * 60)), "--margin", "3"))
    assert list(rows) == [1.25, 1.5, 2, 3]
    assert rows[1.25]["verdict"] == "fail"
    assert rows[3]["verdict"] == "pass"
    assert rows[3]["rolled_back"] is None
    times = [rows[margin]["greatest_log_e"] for margin in rows]
    assert times == sorted(times, reverse=True)


def test_what_crossed_once_stays_rolled_back(tmp_path):
    """The evidence is greatest while it is bad, and wanes while it is fine again."""
    row = by_margin(document(table(tmp_path, lines(*[BAD] * 25, *[(500, 0, 4500, 9)] * 80))))[1.25]
    assert row["log_e"] < row["limit"] < row["greatest_log_e"]
    assert row["verdict"] == "fail"
    assert row["rolled_back"]["window"] <= 25


def test_it_says_what_the_judge_says(tmp_path):
    counts = [BAD] * 40
    rows = by_margin(document(table(tmp_path, lines(*counts))))
    for margin, row in rows.items():
        judge = SequentialJudge(SequentialOptions(margin=margin))
        (finding,) = judge.judge(windows(*counts, share=None), {"sequential": Bounds()})
        assert (row["verdict"], row["reason"]) == (finding.verdict, finding.reason)
        assert row["log_e"] >= round(finding.numbers["log_e"], 9) or row["rolled_back"]


def test_the_text_says_the_same(tmp_path):
    file = table(tmp_path, lines(FINE, BROKEN, BROKEN))
    text = asked(file).stdout
    assert "3 windows of the canary" in text
    row = next(line.split() for line in text.splitlines() if line.startswith("1.5 "))
    assert row[:2] == ["1.5", "FAIL"]
    assert row[4:] == ["after", "30s", "3", "101"]
    assert "100.00% of" not in text
    assert "1.5: sequential: 16.83% of 600 requests failed" in text


def test_alpha_and_the_floor(tmp_path):
    file = table(tmp_path, lines(*[BAD] * 12))
    sure = by_margin(document(file, "--alpha", "0.000001%"))[1.25]
    assert by_margin(document(file))[1.25]["verdict"] == "fail"
    assert sure["verdict"] != "fail"
    assert sure["limit"] == pytest.approx(18.42, abs=0.01)
    assert by_margin(document(file, "--floor", "5%"))[1.25]["verdict"] == "pass"


def test_baseline_share_and_skipped(tmp_path):
    """The baseline tells of bursts, so that the same counts prove less; what was skipped is not there."""
    before = [f"{10 * k},{10 * k + 10},,,5000,{30 if k % 3 == 0 else 0},,yes," for k in range(30)]
    after = [f"{300 + 10 * k},{310 + 10 * k},500,4,4500,9,10%,,".replace("10%", "10") for k in range(12)]
    after[0] = after[0].removesuffix(",,") + ",no,true"
    header = f"{HEADER},share,baseline,skipped"
    told = document(table(tmp_path, [*before, *after], header))
    assert (told["baseline"], told["windows"], told["canary_requests"]) == (30, 11, 5500)
    calm = document(table(tmp_path, after, header))
    assert by_margin(told)[1.25]["greatest_log_e"] < by_margin(calm)[1.25]["greatest_log_e"]


def test_order_of_columns_spaces_and_empty_lines_do_not_matter(tmp_path):
    file = tmp_path / "odd.csv"
    file.write_text(
        "\ufeffstable_errors, stable_requests,canary_errors,canary_requests,end,start\r\n\r\n"
        '1,"450",50,50, 2026-03-01T12:00:10Z ,2026-03-01T13:00:00+01:00\r\n'
        "1,450,50,5e1,2026-03-01T12:00:20,2026-03-01T12:00:10\r\n",
        "utf-8",
    )
    told = document(file)
    assert by_margin(told)[1.5]["rolled_back"]["at"] == "2026-03-01T12:00:20+00:00"


def test_json_and_csv_are_the_same(tmp_path):
    rows = lines(FINE, BROKEN, BROKEN)
    names = HEADER.split(",")
    objects = [dict(zip(names, map(float, row.split(",")), strict=True)) for row in rows]
    made = [document(table(tmp_path, rows))]
    for value in (objects, {"windows": objects}):
        file = tmp_path / "windows.json"
        file.write_text(json.dumps(value))
        made.append(document(file))
    assert made[0] == made[1] == made[2]


def test_stdin():
    text = "\n".join([HEADER, *lines(FINE, BROKEN, BROKEN)])
    told = CliRunner().invoke(replay, ["-"], input=text)
    assert told.exit_code == 0
    assert "FAIL" in told.stdout


def test_a_deployment_that_uno_shows(tmp_path):
    """Its skipped windows do not count, and more errors than requests are as many, as for the judge."""
    counts = [FINE, BROKEN, (50, 60, 450, 1)]
    seen = [Seen(window, skipped=k == 0) for k, window in enumerate(windows(*counts))]
    file = tmp_path / "shown.json"
    file.write_text(shown(seen))
    told = document(file)
    assert (told["windows"], told["canary_requests"]) == (2, 100)
    (finding,) = SequentialJudge(SequentialOptions()).judge(windows(*counts)[1:], {"sequential": Bounds()})
    assert by_margin(told)[1.5]["reason"] == finding.reason


def test_its_latencies_are_judged_too(tmp_path):
    def latency(n, slow):
        return Figures(requests=n, latency={0.1: n * (1 - slow), 0.5: n * slow, float("inf"): 0.0})

    rows = [
        Window(
            start=START + timedelta(seconds=10 * k),
            end=START + timedelta(seconds=10 * (k + 1)),
            slot=Slot.GREEN,
            candidate=latency(500, 0.2),
            stable=latency(4500, 0.05),
            share=10.0,
        )
        for k in range(20)
    ]
    file = tmp_path / "shown.json"
    file.write_text(shown([Seen(row) for row in rows]))
    row = by_margin(document(file))[1.5]
    assert row["verdict"] == "fail"
    assert row["reason"].endswith(": latency")


def test_of_several_providers_the_one_that_counts_is_taken_or_named(tmp_path):
    nothing = [Seen(window) for window in windows((0, 0, 0, 0))]
    one, two = ([Seen(window) for window in windows(*[row] * 3)] for row in (FINE, BROKEN))
    file = tmp_path / "shown.json"
    file.write_text(shown(nothing, one))
    assert document(file)["canary_requests"] == 1500
    file.write_text(shown(one, two))
    told = asked(file)
    assert told.exit_code == 2
    assert "remedy: --provider provider-1" in told.stderr
    assert document(file, "--provider", "provider-2")["canary_errors"] == 150
    assert "there is no provider web" in asked(file, "--provider", "web").stderr


def history(burst, *, count=600, seed=4, rate=0.002, requests=500):
    """Windows of the old release; its errors come so many at once."""
    rng = random.Random(seed)
    rows = []
    for _ in range(count):
        events = sum(rng.random() < rate / burst for _ in range(requests))
        rows.append((0, 0, requests, min(requests, events * burst)))
    return rows


def test_the_old_release_against_itself_is_not_rolled_back(tmp_path):
    told = document(table(tmp_path, lines(*history(1))), "--split-stable", "--runs", "60")
    assert [row["margin"] for row in told["margins"]] == [1.25, 1.5, 2]
    assert all(row["by_request"] == row["by_window"] == 0 for row in told["margins"])
    assert told["smallest_margin"] == 1.25
    assert 0.04 < told["margins"][0]["by_window_at_most"] < 0.06


def test_bursts_hurt_where_one_side_has_them_alone(tmp_path):
    """Each way of splitting sees its own: by request both halves get part of every burst."""
    rough = [(0, 0, 500, 200 if k % 40 == 7 else 0) for k in range(600)]
    told = document(
        table(tmp_path, lines(*rough)), "--split-stable", "--runs", "60", "--alpha", "5%", "--margin", "1"
    )
    worst = told["margins"][0]
    assert worst["by_request"] <= 3
    assert worst["by_window"] > 3
    assert told["smallest_margin"] is None or told["smallest_margin"] > 1


def test_the_same_seed_splits_alike(tmp_path):
    rough = [(0, 0, 500, 200 if k % 40 == 7 else 0) for k in range(400)]
    file = table(tmp_path, lines(*rough))
    first, again = (asked(file, "--split-stable", "--runs", "20").stdout for _ in range(2))
    assert first == again
    assert "margin of these stays within" in first or "smallest margin" in first


def test_a_history_that_says_little_says_so(tmp_path):
    told = asked(table(tmp_path, lines(*[(0, 0, 500, 0)] * 40)), "--split-stable", "--runs", "20")
    assert "warning: 0 bad answers say little" in told.stdout
    short = asked(table(tmp_path, lines(*[(0, 0, 500, 1)] * 19)), "--split-stable")
    assert short.exit_code == 2
    assert "at least 20" in short.stderr
