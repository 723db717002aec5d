"""The page in a real browser: drawn, hovered, sorted, and silent on the network."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mnist_seq.report.render.figures import all_figures
from mnist_seq.report.render.html import render
from mnist_seq.runs.folder import find_runs
from tests.report.sweeps import report_of, write_run
from tests.report.test_searches import write_search

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip

try:
    import selenium
except ImportError:
    selenium = None  # type: ignore[assignment]

pytestmark = [
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver"),
    pytest.mark.skipif(selenium is None, reason="needs selenium: pip install selenium"),
]


@pytest.fixture(scope="module")
def page(grid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    report = report_of(grid, margin=0.1, thresholds=(0.9, 0.95))
    path.write_text(render(report, all_figures(report)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    with tempfile.TemporaryDirectory() as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
        try:
            yield driver
        finally:
            driver.quit()


def opened(browser: Any, page: Path, width: int, scheme: str) -> None:
    """Open the page and wait until all charts are drawn."""
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get("about:blank")
    for kind in ("browser", "performance"):
        browser.get_log(kind)  # of the browser's own first page, or of the test before
    browser.get(page.as_uri())
    for _ in range(300):
        if browser.execute_script("return document.body.dataset.ready"):
            return
        time.sleep(0.1)
    raise AssertionError("the charts were not drawn in 30 s")


def requests(browser: Any) -> list[str]:
    """Addresses that the page has asked for."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [
        m["params"]["request"]["url"]
        for m in messages
        if m["method"] == "Network.requestWillBeSent"
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1600])
def test_the_page_fits_and_is_silent(browser: Any, page: Path, width: int, scheme: str) -> None:
    """No sideways scrolling, no console message, no request but for the file itself."""
    opened(browser, page, width, scheme)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    narrowest = browser.execute_script(
        "return Math.min(...[...document.querySelectorAll('table.verdicts tbody th')]"
        ".map(cell => cell.offsetWidth))"
    )
    assert narrowest > 90, "a name is read in words, not in letters"
    charts = browser.execute_script(
        "return [...document.querySelectorAll('.chart')].map(c => "
        "[c.querySelector('svg').getBoundingClientRect().width, c.offsetWidth])"
    )
    assert len(charts) == 14
    assert all(0 < svg <= place + 1 for svg, place in charts)
    assert browser.get_log("browser") == []
    assert [url for url in requests(browser) if not url.startswith("data:")] == [page.as_uri()]


@pytest.mark.parametrize("width", [400, 1600])
def test_searches_and_diagnostics_fit_and_are_silent(
    browser: Any, tmp_path: Path, width: int
) -> None:
    """Logarithmic axes, bands and a gradient of 0 draw without a complaint."""
    sweep = write_search(tmp_path / "s")
    for i, run in enumerate(find_runs(sweep)):
        run.append_metrics({
            "step": 60, "seconds": 3.0, "gradient/t000": 1e-9 * i, "gradient/t027": 0.1,
            "state/first": 1.0, "state/last": 2.0 + i, "gates/saturated": 0.1 * i,
        })  # fmt: skip
    report = report_of(sweep)
    path = tmp_path / "report.html"
    path.write_text(render(report, all_figures(report)), encoding="utf-8")
    opened(browser, path, width, "light")
    sections = {s.get_attribute("id") for s in browser.find_elements("css selector", "section")}
    assert {"search", "search-table", "gradients", "states", "diagnostics-table"} <= sections
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    drawn = browser.execute_script(
        "return [...document.querySelectorAll('.chart')].map(c => !!c.querySelector('svg'))"
    )
    assert all(drawn)
    assert browser.get_log("browser") == []


def test_long_names_wrap_before_the_table_scrolls(browser: Any, tmp_path: Path) -> None:
    for cell in ("lstm", "somebodys_own_cell_with_a_name"):
        for seed in range(3):
            for lr in (0.01, 0.003):
                write_run(tmp_path / "s", cell, seed=seed, accuracy=0.9 + seed / 99,
                          optimizer__lr=lr, training__batch_size=int(1 / lr),
                          state="diverged" if seed == 2 else "finished")  # fmt: skip
    path = tmp_path / "report.html"
    path.write_text(render(report_of(tmp_path / "s"), []), encoding="utf-8")
    opened(browser, path, 1400, "light")
    widths = browser.execute_script(
        "const table = document.querySelector('#verdicts .scroll');"
        "return [table.scrollWidth, table.clientWidth]"
    )
    assert widths[0] == widths[1]


def test_light_and_dark_are_both_legible(browser: Any, page: Path) -> None:
    """Text and charts take their ink from the page, so contrast is held for both at once."""
    for scheme in ("light", "dark"):
        opened(browser, page, 800, scheme)
        ink, back, axis = browser.execute_script(
            "const style = (e, p) => getComputedStyle(e)[p];"
            "return [style(document.body, 'color'), style(document.body, 'backgroundColor'),"
            "style(document.querySelector('.chart svg text'), 'fill')]"
        )
        assert axis == ink
        assert contrast(ink, back) > 7


def test_the_table_sorts_by_number_and_back(browser: Any, page: Path) -> None:
    from selenium.webdriver.common.by import By

    opened(browser, page, 1600, "light")
    buttons = browser.find_elements(By.CSS_SELECTOR, "table.verdicts th button")
    (button,) = [b for b in buttons if b.text.startswith("difference")]
    before = column(browser, "variant")
    button.click()
    falling = column(browser, "difference")
    button.click()
    rising = column(browser, "difference")
    button.click()
    assert column(browser, "variant") == before
    numbers = [float(text) for text in falling if text != "\N{EN DASH}"]
    assert len(numbers) == 4
    assert numbers == sorted(numbers, reverse=True)
    assert rising[:4] == falling[:4][::-1]
    assert rising[4:] == falling[4:], "what has no number stays at the end"


def test_pointing_at_a_curve_names_its_run(browser: Any, page: Path) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By

    opened(browser, page, 1600, "light")
    chart = browser.find_element(By.CSS_SELECTOR, "#learning_curves .chart svg")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", chart)
    ActionChains(browser).move_to_element(chart).move_by_offset(20, 10).perform()
    text = ""
    for step in range(50):  # a tooltip shows while the pointer moves
        ActionChains(browser).move_by_offset(1 if step % 2 else -1, 0).perform()
        time.sleep(0.1)
        found = browser.find_elements(By.ID, "vg-tooltip-element")
        text = found[0].text if found else ""
        if "seed" in text:
            break
    assert "hidden=32" in text
    assert "valid accuracy (%)" in text
    assert browser.get_log("browser") == []


def column(browser: Any, key: str) -> list[str]:
    """Texts of one column of the verdict table, from the top."""
    cells = browser.find_elements("css selector", f"[data-column={key}]")
    return [cell.text for cell in cells]


def contrast(a: str, b: str) -> float:
    """WCAG contrast of two rgb() colours."""
    light = sorted(luminance(color) for color in (a, b))
    return (light[1] + 0.05) / (light[0] + 0.05)


def luminance(color: str) -> float:
    parts = [int(x) / 255 for x in color[color.index("(") + 1 : -1].split(",")[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
