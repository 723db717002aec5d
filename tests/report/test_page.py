"""The page in a real browser: it fits, it can be read and used by keyboard, it asks for nothing."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_seq.report.render.html import render
from mnist_seq.report.value import Report
from mnist_seq.runs.folder import find_runs
from tests.report.sweeps import report_of, write_run
from tests.report.test_searches import write_search
from tests.report.test_suite import write_suite

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

# What a checker of accessibility would find, as a list of sentences
FAULTS = (Path(__file__).parent / "page_faults.js").read_text(encoding="utf-8")
KINDS = ("grid", "many", "one seed", "lost", "search", "odd names", "suite")


def material(kind: str, folder: Path, grid: Path) -> Report:
    """Sweeps of every kind that a page must serve."""
    if kind == "grid":
        return report_of(grid, margin=0.1, thresholds=(0.9, 0.95))
    sweep = folder / "s"
    if kind == "suite":
        return report_of(write_suite(sweep))
    if kind == "search":
        write_search(sweep)
        for i, run in enumerate(find_runs(sweep)):
            run.append_metrics({
                "step": 60, "seconds": 3.0, "gradient/t000": 1e-9 * i, "gradient/t027": 0.1,
                "state/first": 1.0, "state/last": 2.0 + i, "gates/saturated": 0.1 * i,
            })  # fmt: skip
    rng = np.random.default_rng(0)
    cells = {"one seed": ("lstm", "gru", "rnn", "mgu"), "lost": ("lstm", "gru", "rnn")}
    for cell in cells.get(kind, ()):
        for seed in range(1 if kind == "one seed" else 4):
            state = {("gru", 1): "failed", ("rnn", 2): "diverged"}.get((cell, seed), "finished")
            write_run(sweep, cell, seed=seed, accuracy=round(0.9 + rng.random() / 20, 4),
                      state=state if kind == "lost" else "finished")  # fmt: skip
    if kind == "many":
        for hidden in (16, 24, 32, 48, 64, 96):
            for lr in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05):
                for seed in range(2):
                    write_run(sweep, "lstm", hidden, seed, optimizer__lr=lr,
                              accuracy=round(0.9 + rng.random() / 20, 4))  # fmt: skip
    if kind == "odd names":
        for cell in ("lstm", "somebodys_own_cell_with_a_name"):
            for seed in range(3):
                for lr in (0.01, 0.003):
                    write_run(sweep, cell, seed=seed, accuracy=0.9 + seed / 99, optimizer__lr=lr,
                              training__batch_size=int(1 / lr))  # fmt: skip
    return report_of(sweep)


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


def opened(browser: Any, page: Path, width: int, scheme: str = "light", media: str = "") -> None:
    """Open the page at a width, in a colour scheme, on a screen or on paper."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get("about:blank")
    for kind in ("browser", "performance"):
        browser.get_log(kind)  # of the browser's own first page, or of the test before
    browser.get(page.as_uri())


def requests(browser: Any) -> list[str]:
    """Addresses that the page has asked for."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [
        m["params"]["request"]["url"]
        for m in messages
        if m["method"] == "Network.requestWillBeSent"
    ]


def faults(browser: Any, *, is_open: bool = False) -> list[str]:
    """What is wrong with the page that is open; with all that is folded open too."""
    if is_open:
        browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    return list(browser.execute_script(FAULTS))


@pytest.fixture(scope="module")
def page(grid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render(material("grid", path.parent, grid)), encoding="utf-8")
    return path


def test_the_page_has_no_faults_and_is_silent(browser: Any, page: Path) -> None:
    """On a phone in the dark; the other widths, schemes and kinds are slow."""
    opened(browser, page, 360, "dark")
    assert faults(browser) == []
    assert browser.get_log("browser") == []
    assert [url for url in requests(browser) if not url.startswith("data:")] == [page.as_uri()]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_page_has_no_faults_at_any_width(
    browser: Any, tmp_path: Path, grid: Path, kind: str
) -> None:
    path = tmp_path / "report.html"
    path.write_text(render(material(kind, tmp_path, grid)), encoding="utf-8")
    for width in (360, 400, 760, 1000, 1600):
        for scheme in ("light", "dark"):
            opened(browser, path, width, scheme)
            assert faults(browser) == [], (width, scheme)
            assert browser.get_log("browser") == []
    assert faults(browser, is_open=True) == []
    opened(browser, path, 680, media="print")  # as wide as the text of A4
    assert faults(browser) == []


def test_the_table_sorts_by_number_and_back(browser: Any, page: Path) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    opened(browser, page, 1600)
    browser.execute_script("document.querySelector('table.all').closest('details').open = true")
    buttons = browser.find_elements(By.CSS_SELECTOR, "table.all th button")
    (button,) = [b for b in buttons if b.text.startswith("difference")]
    before = column(browser, "variant")
    button.send_keys(Keys.ENTER)
    falling = column(browser, "difference")
    button.send_keys(Keys.ENTER)
    rising = column(browser, "difference")
    button.send_keys(Keys.ENTER)
    assert column(browser, "variant") == before
    numbers = [float(text) for text in falling if text != "\N{EN DASH}"]
    assert len(numbers) == 4
    assert numbers == sorted(numbers, reverse=True)
    assert rising[:4] == falling[:4][::-1]
    assert rising[4:] == falling[4:], "what has no number stays at the end"


def test_it_is_used_by_keyboard(browser: Any, page: Path) -> None:
    """The skip link comes first; a button copies the table and says so; a link opens a fold."""
    from selenium.webdriver.common.keys import Keys

    opened(browser, page, 1600)
    browser.switch_to.active_element.send_keys(Keys.TAB)
    assert browser.switch_to.active_element.text == "To the answer"
    button = browser.find_element("css selector", "button[data-copy='answer-csv']")
    button.send_keys(Keys.ENTER)
    said = "return document.getElementById('said').textContent"
    assert browser.execute_async_script(
        f"const end = arguments[0]; const look = () => {{ const t = (() => {{ {said} }})();"
        "t ? end(t) : requestAnimationFrame(look) }; look()"
    ) in ("CSV copied", "could not copy")
    browser.execute_script("location.hash = '#s-runs'")
    is_open = "const end = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => "
    is_open += "end(document.getElementById('s-runs').open)))"
    assert browser.execute_async_script(is_open)


def column(browser: Any, key: str) -> list[str]:
    """Texts of one column of the table with all columns, from the top."""
    cells = browser.find_elements("css selector", f"[data-column={key}]")
    return [cell.text for cell in cells]
