"""The HTML report in a real browser: it sorts, filters, opens items; hostile text stays text.

Screenshots go to the folder that $DI_BENCH_SCREENSHOTS names: `docs` makes those of the README.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions, Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from typer.testing import CliRunner

from di_bench import suite as suites
from di_bench.cli import app
from di_bench.report import Texts, report, run_of
from di_bench.store import read_items, records_in

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Debian's chromium and chromium-driver"
)
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
HOSTILE = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\">"
LINK = '<a href="javascript:alert(1)">here</a> \u202egnirts\u202c </td></table> <!-- '

Page = Any  # a browser on a page


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A smoke run of our own, so that the cache has the texts of its answers."""
    folder = tmp_path_factory.mktemp("smoke")
    places = ["--results", f"{folder}/results", "--cache", f"{folder}/cache"]
    done = CliRunner().invoke(app, ["run", "smoke", *places, "--workers", "1"])
    assert done.exit_code == 0, done.output
    page = ["--format", "html", "--out", f"{folder}/report.html"]
    done = CliRunner().invoke(app, ["board", "smoke", *places, *page])
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    options = ChromeOptions()
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.binary_location = str(CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def page(browser: Page, smoke: Path) -> Iterator[Page]:
    browser.set_window_size(1300, 900)
    browser.get(f"file://{smoke}/report.html")
    yield browser
    assert browser.get_log("browser") == []


def shoot(page: Page, name: str) -> None:
    if folder := os.environ.get("DI_BENCH_SCREENSHOTS"):
        page.save_screenshot(str(Path(folder) / f"{name}.png"))


def column(page: Page, number: int) -> list[str]:
    cells = page.find_elements(By.CSS_SELECTOR, f"#table tbody td:nth-child({number})")
    return [cell.text for cell in cells]


def press(page: Page, selector: str) -> None:
    """By keyboard, as somebody without a mouse does."""
    page.find_element(By.CSS_SELECTOR, selector).send_keys(Keys.ENTER)


def test_a_column_sorts_up_and_down_by_keyboard(page: Page) -> None:
    assert column(page, 2) == ["none", "retrain", "ga", "npo", "di"]
    press(page, "[data-sort=forget_accuracy]")
    numbers = [float(text) for text in column(page, 3)]
    assert numbers == sorted(numbers) and len(set(numbers)) > 2
    press(page, "[data-sort=forget_accuracy]")
    assert [float(text) for text in column(page, 3)] == sorted(numbers, reverse=True)
    heads = page.find_elements(By.CSS_SELECTOR, "#table th[aria-sort=descending]")
    assert [head.text.split(" ↓")[0] for head in heads] == ["forget accuracy"]


def test_a_filter_leaves_what_it_names(page: Page) -> None:
    page.find_element(By.ID, "find").send_keys("np")
    assert column(page, 2) == ["npo"]


def test_an_item_opens_with_prompt_truth_and_answers_before_and_after(page: Page) -> None:
    shoot(page, "report")
    press(page, "button[aria-label='open builtin/nano di']")
    page.find_element(By.CSS_SELECTOR, "#itemcolumn option[value=forget_rouge]").click()
    press(page, "#items tbody button")
    shown = page.find_element(By.CSS_SELECTOR, "#items td.text").text
    for part in ("prompt", "truth", "before (none, forget_answers)", "after (di, forget_answers)"):
        assert part in shown
    assert "di-bench run smoke di --model builtin/nano --seed 0" in page.page_source
    page.execute_script("document.getElementById('row').scrollIntoView()")
    shoot(page, "report-row")
    press(page, "#items tbody button")
    assert not page.find_elements(By.CSS_SELECTOR, "#items td.text")


def test_two_methods_are_compared_column_by_column(page: Page) -> None:
    press(page, "button[aria-label='open builtin/nano di']")
    (other,) = [
        one for one in page.find_elements(By.CSS_SELECTOR, "#other option") if "npo" in one.text
    ]
    other.click()
    heads = [th.text for th in page.find_elements(By.CSS_SELECTOR, "#difference th")]
    assert heads == ["column", "builtin/nano npo", "builtin/nano di", "difference"]
    rows = page.find_elements(By.CSS_SELECTOR, "#difference tbody tr")
    assert len(rows) == 10
    for row in rows:
        a, b, gain = (cell.text for cell in row.find_elements(By.TAG_NAME, "td")[1:])
        assert float(b) - float(a) == pytest.approx(float(gain.split()[0]), abs=2e-3)


def test_a_plot_tells_a_row_to_the_mouse_and_to_the_keyboard(page: Page) -> None:
    mark = page.find_element(By.CSS_SELECTOR, "#pareto circle[aria-label*=' di:']")
    page.execute_script("arguments[0].focus()", mark)
    assert "builtin/nano di: forget_accuracy" in page.find_element(By.ID, "paretotip").text
    mark.send_keys(Keys.ENTER)
    assert page.find_element(By.ID, "rowtitle").text == "builtin/nano di"


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1300, "dark")])
def test_it_fits_a_phone_and_a_dark_room(page: Page, width: int, scheme: str) -> None:
    metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    feature = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", feature)
    try:
        assert page.execute_script("return document.documentElement.scrollWidth") <= width
        paper = page.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert paper == ("rgb(20, 24, 28)" if scheme == "dark" else "rgb(255, 255, 255)")
        shoot(page, f"report-{'phone' if width < 500 else scheme}")
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_what_a_model_wrote_stays_text(page: Page, smoke: Path, tmp_path: Path) -> None:
    folder = smoke / "results" / "smoke" / "default"
    records = records_in(folder)
    items = {run_of(r): read_items(folder / f"{run_of(r)}.parquet") for r in records}
    item = next(
        name for metric, name, _, _ in items["builtin--nano/di-0"] if metric == "forget_rouge"
    )
    asked = {item: {"prompt": HOSTILE, "truth": LINK}}
    answers = {run_of(r): {"forget_answers": {item: HOSTILE + LINK}} for r in records}
    own = tmp_path / "hostile.html"
    own.write_text(report(records, suites.load("smoke"), items, Texts(asked, answers)), "utf-8")
    page.get(f"file://{own}")
    title = page.title
    press(page, "button[aria-label='open builtin/nano di']")
    page.find_element(By.CSS_SELECTOR, "#itemcolumn option[value=forget_rouge]").click()
    page.find_element(By.ID, "itemfind").send_keys(item)
    press(page, "#items tbody button")
    shown = page.find_element(By.CSS_SELECTOR, "#items td.text")
    assert HOSTILE in shown.text and "javascript:alert(1)" in shown.text
    assert not shown.find_elements(By.CSS_SELECTOR, "script, img, a, table")
    assert page.title == title
    assert len(page.find_elements(By.TAG_NAME, "script")) == 2  # the data and the page's own
