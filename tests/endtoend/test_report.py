"""The report of a canary that really went back, laid out by a real browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest
from shop import Shop
from steady import Steady

pytestmark = [pytest.mark.component("envoy"), pytest.mark.component("chromium")]

RATED = Path(__file__).parents[1] / "support" / "rated.py"
COMMAND = [sys.executable, str(RATED), "{port}", "{version}", "x5=0.05/1"]
MEASURE = """
<script>
const box = line => { const b = line.getBBox(); return [b.x, b.y, b.x + b.width, b.y + b.height]; };
document.title = JSON.stringify({
  wide: document.documentElement.scrollWidth, view: document.documentElement.clientWidth,
  charts: [...document.querySelectorAll("svg")].map(svg => ({
    name: svg.querySelector("title").textContent, height: svg.getBoundingClientRect().height,
    lines: [...svg.querySelectorAll("polyline")].map(box)})),
});
</script>
"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """The page and the Markdown of it."""
    folder = tmp_path_factory.mktemp("report")
    shop = Shop(folder, instances=2, command=COMMAND, look_every="2s")
    try:
        shop.deploy("v1", "blue-green", "verify_for=0s", "drain=0s", "keep_old_for=1s")
        with Steady(shop.port, 180):
            steps = ("initial_percentage=50", "increments=[100]", "increment_interval=5m")
            shop.deploy("x5", "canary", *steps, "drain=0s", "keep_old_for=1s", code=3)
        for form in ("html", "markdown"):
            said = shop.uno("report", "--config-file", str(shop.file), "--format", form, "--output", "-")
            (folder / f"report.{form}").write_text(said.out, "utf-8")
    finally:
        shop.close()
    return folder


def laid_out(page, width):
    """What a window of this width makes of it."""
    measured = page.with_name(f"measured-{width}.html")
    measured.write_text(page.read_text("utf-8").replace("</body>", f"{MEASURE}</body>"), "utf-8")
    command = [
        shutil.which("chromium"),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-dev-shm-usage",
        f"--user-data-dir={page.parent / 'browser'}",
        f"--window-size={width},1200",
        "--dump-dom",
        measured.as_uri(),
    ]
    shown = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    return json.loads(unescape(re.search(r"<title>(.*?)</title>", shown, re.DOTALL)[1]))


@pytest.mark.parametrize("width", [500, 1200])
def test_a_browser_draws_every_chart_within_its_frame_and_the_page_within_its_window(reports, width):
    seen = laid_out(reports / "report.html", width)
    assert seen["wide"] <= seen["view"] <= width
    names = [chart["name"] for chart in seen["charts"]]
    assert names == [
        "Traffic of the new release",
        "Failed requests",
        "Latency",
        "Evidence against the new release",
    ]
    for chart in seen["charts"]:
        assert chart["height"] > 100
        assert chart["lines"]
        for left, top, right, bottom in chart["lines"]:
            assert 0 <= left < right <= 900
            assert 0 <= top <= bottom <= 220


def test_both_forms_say_why_it_went_back(reports):
    for form in ("html", "markdown"):
        text = (reports / f"report.{form}").read_text("utf-8")
        assert "rolled back" in text
        assert "v1 serves again: sequential: " in text
        assert "x5 over v1" in text
