"""Each row of the table of bad answers is held by tests, and every provider by the contract."""

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parents[2]
LIMITS, WINDOWS = "tests/analysis/test_limits.py", "tests/analysis/test_windows.py"
BLIND = "tests/analysis/test_blind_spots.py"
CONTRACT, REAL = "uno_core/testing/metrics.py", "tests/endtoend/test_verdicts.py"
BAD, AWAY = "test_no_bad_answer_is_taken_for_a_good_one", "test_a_prometheus_that_is_away_holds_the_split"

HELD = {
    "has no data, or no series": [
        (LIMITS, "test_no_measurement_is_inconclusive"),
        (LIMITS, "test_silence_makes_what_passed_inconclusive_after_a_minute"),
        (CONTRACT, "test_silence_is_no_data_and_not_zero"),
        (REAL, BAD),
    ],
    "answers NaN or an infinity, or counts less than nothing": [
        (LIMITS, "test_what_is_no_number_is_no_pass_whatever_the_limits_say"),
        (LIMITS, "test_one_value_that_is_no_number_spoils_no_other_metric"),
        (CONTRACT, "test_a_bad_answer_never_becomes_figures"),
        (REAL, BAD),
    ],
    "tells the rest, and not this metric": [
        (BLIND, "test_a_metric_that_vanishes_is_no_pass_though_requests_flow"),
        (BLIND, "test_what_a_provider_says_is_unknown_is_inconclusive_at_once"),
        (BLIND, "test_requests_that_are_unknown_are_not_none"),
    ],
    "answers in another shape than asked for": [
        (CONTRACT, "test_a_bad_answer_never_becomes_figures"),
        (CONTRACT, "test_a_bad_answer_is_told_in_words"),
    ],
    "answers with an error, or refuses the connection": [
        (LIMITS, "test_errors_are_retried_on_a_cadence_of_their_own"),
        (CONTRACT, "test_a_bad_answer_never_becomes_figures"),
        (REAL, BAD),
        (REAL, AWAY),
    ],
    "hangs": [
        (LIMITS, "test_a_provider_that_hangs_is_an_error_every_ten_seconds"),
        (LIMITS, "test_a_provider_that_hangs_delays_no_verdict_of_another"),
        (REAL, BAD),
    ],
    "was restarted, so that its counters begin at zero": [
        (WINDOWS, "test_a_source_that_began_anew_counts_from_zero"),
        (
            "plugins/uno-metrics-prometheus/tests/test_prometheus.py",
            "test_a_counter_that_begins_again_loses_nothing_that_was_scraped",
        ),
    ],
    "is back after an ERROR": [
        (LIMITS, "test_a_provider_that_is_back_after_an_error_is_measured_again"),
        (LIMITS, "test_a_provider_that_is_back_and_has_no_data_is_no_error_and_no_pass"),
        (REAL, AWAY),
    ],
    "goes on answering, and nobody asks the release anything": [
        (LIMITS, "test_silence_makes_what_passed_inconclusive_after_a_minute")
    ],
}


def test_every_row_is_held(page):
    table = page("metrics").partition("| the provider | outcome |")[2].partition("\n\n")[0]
    rows = [row.strip() for row in re.findall(r"^\|([^|]+)\|", table, re.MULTILINE)]
    assert rows[1:] == list(HELD), "of the table the line below its head is left out"


@pytest.mark.parametrize("row", HELD)
def test_what_holds_it_exists(row):
    for file, name in HELD[row]:
        tree = ast.parse((HERE / file).read_text("utf-8"))
        assert any(
            isinstance(node, ast.FunctionDef) and node.name.startswith(name) for node in ast.walk(tree)
        ), f"{file}: {name}"


@pytest.mark.parametrize("plugin", sorted(p.name for p in HERE.glob("plugins/uno-metrics-*")))
def test_every_provider_is_run_against_the_contract_with_a_source_that_is_ill(plugin):
    texts = [path.read_text("utf-8") for path in (HERE / "plugins" / plugin / "tests").glob("*.py")]
    assert any("MetricProviderContract" in text for text in texts)
    assert any("def ailing(" in text for text in texts)
