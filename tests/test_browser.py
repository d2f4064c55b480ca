"""The HTML report in a real browser: it sorts, filters, opens items; hostile text stays text.

Screenshots go to the folder that $DI_BENCH_SCREENSHOTS names: `docs` makes those of the README, of
the packaged suite `smoke`. Without it the run is one of the byte model's, which takes seconds.
"""

import base64
import os
import shutil
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome, ChromeOptions, Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from typer.testing import CliRunner

from di_bench import suite as suites
from di_bench.cli import app
from di_bench.record import Record
from di_bench.recordfile import read_items, records_in
from di_bench.report import ItemScores, Texts, report
from di_bench.suite import Suite
from tests.conftest import small_tree, write_suite

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Debian's chromium and chromium-driver"
)
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
SHOTS = os.environ.get("DI_BENCH_SCREENSHOTS")
HOSTILE = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\">"
UNSEEN = "\u202egnirts\u202c\u2028 \ud800 \U000e0041"
LINK = f'<a href="javascript:alert(1)">here</a> {UNSEEN} </td></table> <!-- '
CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")

Page = Any  # a browser on a page


class Bench:
    """A suite that was run, where its results are, and pages made of them."""

    def __init__(self, suite: str, folder: Path) -> None:
        self.suite, self.folder = suite, folder
        self.places = ["--results", f"{folder}/results", "--cache", f"{folder}/cache"]
        self.page = folder / "report.html"

    def call(self, *command: str) -> None:
        done = CliRunner().invoke(app, [command[0], self.suite, *command[1:]])
        assert done.exit_code == 0, done.output

    @property
    def loaded(self) -> Suite:
        return suites.load(self.suite)

    @property
    def results(self) -> Path:
        return self.folder / "results" / self.loaded.name / "default"

    def of(self, records: Sequence[Record], texts: Texts | None = None) -> Path:
        """A page of records; the items of each are those of its method here."""
        (model,) = self.results.glob("*/")

        def items(record: Record) -> ItemScores:
            return read_items(model / f"{record.method}-0.parquet")

        path = self.folder / "other.html"
        path.write_text(report(records, self.loaded, items, texts or Texts()), encoding="utf-8")
        return path


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Bench:
    """A run of our own, so that the cache has the texts of its answers."""
    folder = tmp_path_factory.mktemp("smoke")
    suite = "smoke"
    if not SHOTS:
        tree = small_tree(tiny)
        tree |= {"methods": ["none", "retrain", "npo", "di"], "seeds": [0], "grow_seeds": [0]}
        tree["probes"]["retain"] = {"ask": "read", "split": "retain"}
        read = {"forget_accuracy": "forget", "retain_accuracy": "retain"}
        columns = {name: {"exact_memorization": probe} for name, probe in read.items()}
        tree["metrics"] = {**columns, "forget_rouge": {"rouge": "answers"}}
        suite = str(write_suite(folder, tree))
    made = Bench(suite, folder)
    made.call("run", *made.places, "--workers", "1")
    made.call("board", *made.places, "--format", "html", "--out", str(made.page))
    return made


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
def page(browser: Page, bench: Bench) -> Iterator[Page]:
    show(browser, bench.page)
    yield browser
    assert browser.get_log("browser") == []
    assert browser.execute_script("return performance.getEntriesByType('resource').length") == 0


def show(page: Page, path: Path, width: int = 1300, scheme: str = "light", media: str = "") -> None:
    """A page at a width in pixels, in a colour scheme."""
    look(page, width, scheme, media)
    page.get(f"file://{path}")


def look(page: Page, width: int, scheme: str = "light", media: str = "") -> None:
    size = {
        "width": width,
        "height": 844 if width < 500 else 1000,
        "deviceScaleFactor": 1,
        "mobile": width < 500,
    }
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"media": media, "features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", feature)


def shoot(page: Page, name: str) -> None:
    if SHOTS:
        page.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        shot = page.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
        (Path(SHOTS) / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))


def texts(page: Page, selector: str) -> list[str]:
    script = """return [...document.querySelectorAll(arguments[0])]
    .map(e => (e.innerText ?? e.textContent).trim())"""  # what SVG holds has no innerText
    found: list[str] = page.execute_script(script, selector)
    return found


def methods(page: Page) -> list[str]:
    return texts(page, "#table tbody th")


def column(page: Page, name: str) -> list[float]:
    place = page.execute_script(
        "return board.columns.findIndex(c => c.name === arguments[0])", name
    )
    cells = texts(page, f"#table tbody td[data-place='{place}']")
    return [float(cell.split()[0]) for cell in cells]


def press(page: Page, selector: str, key: str = Keys.ENTER) -> None:
    """By keyboard, as somebody without a mouse does."""
    page.find_element(By.CSS_SELECTOR, selector).send_keys(key)


def focus(page: Page) -> str:
    """What has the focus: its id, what it sorts, or its name for a screen reader."""
    script = """const e = document.activeElement;
    return e.id || e.dataset.sort || e.getAttribute("aria-label") || e.tagName"""
    return str(page.execute_script(script))


def choose(page: Page, select: str, text: str) -> None:
    found = page.find_elements(By.CSS_SELECTOR, f"#{select} option")
    next(option for option in found if text in option.text).click()


def test_a_column_sorts_up_and_down_and_back_by_keyboard(page: Page) -> None:
    before, sort = methods(page), "[data-sort=forget_accuracy]"
    press(page, sort)
    numbers = column(page, "forget_accuracy")
    assert numbers == sorted(numbers)
    assert len(set(numbers)) > 2
    assert texts(page, "#table th[aria-sort=ascending]") == ["forget accuracy ↓"]
    press(page, sort, Keys.SPACE)
    assert column(page, "forget_accuracy") == sorted(numbers, reverse=True)
    assert texts(page, "#table th[aria-sort=descending]") == ["forget accuracy ↓"]
    assert focus(page) == "forget_accuracy"
    press(page, sort)
    assert methods(page) == before
    assert not texts(page, "#table th:not([aria-sort=none]):not([scope=row])")


def test_the_tab_key_goes_through_the_page_from_top_to_bottom(page: Page) -> None:
    keys, seen = ActionChains(page), []
    for _ in range(7):
        keys.send_keys(Keys.TAB).perform()
        seen.append(focus(page))
    assert seen == ["A", "find", "spread", "SUMMARY", "DIV", "method", "model"]
    skip = page.find_element(By.CSS_SELECTOR, ".skip")
    skip.send_keys(Keys.ENTER)
    assert focus(page) == "plots"


def test_words_choose_methods_and_boxes_choose_columns(page: Page) -> None:
    page.find_element(By.ID, "find").send_keys("np, retr")
    assert methods(page) == ["retrain", "npo"]
    assert page.find_element(By.ID, "count").text.startswith("2 of ")
    assert len(texts(page, "#pareto .mark")) == 2
    page.find_element(By.CSS_SELECTOR, "#choice summary").click()
    shown = len(texts(page, "#table thead th"))
    page.find_element(By.CSS_SELECTOR, "#columns input[value=forget_rouge]").click()
    heads = page.find_elements(By.CSS_SELECTOR, "#table thead th")
    assert len([head for head in heads if head.is_displayed()]) == shown - 1


def test_an_item_opens_with_prompt_truth_and_answers_before_and_after(page: Page) -> None:
    shoot(page, "report")
    press(page, "button[aria-label$=' di']")
    assert focus(page) == "row"
    choose(page, "itemcolumn", "forget rouge")
    press(page, "#items tbody button")
    (shown,) = texts(page, "#items td.text")
    for part in ("prompt", "truth", "before (none)", "after (di)"):
        assert part in shown
    assert texts(page, "#items tbody button[aria-expanded=true]")
    page.execute_script("document.getElementById('curves').scrollIntoView()")
    shoot(page, "report-row")
    press(page, "#items tbody button", Keys.SPACE)
    assert not texts(page, "#items td.text")
    press(page, "#close", Keys.ESCAPE)
    assert focus(page).startswith("open ")
    assert focus(page).endswith(" di")


def test_a_row_says_how_it_was_made(page: Page, bench: Bench) -> None:
    press(page, "button[aria-label$=' di']")
    (command,) = texts(page, "#command")
    name = Path(bench.suite).name
    assert command.startswith(f"di-bench run {name} di --model ")
    assert command.endswith(" --seed 0")
    page.find_element(By.CSS_SELECTOR, "#environment summary").click()
    (said,) = texts(page, "#environment")
    for part in ("seeds", "strength", "torch", "python", "exact_memorization@1"):
        assert part in said
    epochs = len(page.find_elements(By.CSS_SELECTOR, "#curves circle"))
    assert epochs == len(page.execute_script("return opened.curves[0]"))


def test_two_methods_are_compared_column_by_column(page: Page) -> None:
    press(page, "button[aria-label$=' di']")
    choose(page, "other", "npo")
    assert texts(page, "#difference thead th") == ["column", "npo", "di", "difference"]
    rows = texts(page, "#difference tbody tr")
    assert len(rows) == len(texts(page, "#columns input"))
    a, b, gain = texts(page, "#difference tbody tr:first-child td")
    assert float(b.split()[0]) - float(a.split()[0]) == pytest.approx(
        float(gain.split()[0]), abs=2e-3
    )
    assert not gain.split()[1:] or gain.split()[1] == ("better" if gain[0] == "-" else "worse")


def test_a_plot_tells_a_row_to_the_mouse_and_to_the_keyboard(page: Page) -> None:
    marks = page.find_elements(By.CSS_SELECTOR, "#pareto .mark")
    assert [mark.get_attribute("tabindex") for mark in marks] == ["0"] + ["-1"] * (len(marks) - 1)
    marks[0].send_keys(Keys.ARROW_RIGHT)
    name = focus(page)
    assert name == marks[1].get_attribute("aria-label")
    assert texts(page, "#pareto ~ .tip") == [name]
    page.find_element(By.CSS_SELECTOR, "#pareto .mark[tabindex='0']").send_keys(Keys.SPACE)
    assert texts(page, "#rowtitle") == [name.split(":")[0]]
    press(page, "#close")
    assert focus(page) == name
    ActionChains(page).move_to_element(marks[-1]).perform()
    assert texts(page, "#pareto ~ .tip") == [marks[-1].get_attribute("aria-label")]
    assert page.find_elements(By.CSS_SELECTOR, "#pareto.hot .mark.on")


@pytest.mark.parametrize(("width", "scheme"), [(1300, "light"), (390, "light"), (1300, "dark")])
def test_it_fits_a_phone_and_a_dark_room(page: Page, bench: Bench, width: int, scheme: str) -> None:
    show(page, bench.page, width, scheme)
    assert page.execute_script("return matchMedia('(prefers-color-scheme: dark)').matches") == (
        scheme == "dark"
    )
    if (width, scheme) != (1300, "light"):
        shoot(page, f"report-{'phone' if width < 500 else scheme}")
    press(page, "button[aria-label$=' di']")
    press(page, "#items tbody button")
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    drawn, room = page.execute_script(
        "const p = at('pareto'); return [p.viewBox.baseVal.width, p.clientWidth]"
    )
    assert drawn == room  # not stretched, so that its words are as large as they were meant
    assert page.execute_script(CONTRAST) == []


def test_paper_has_the_whole_table_and_nothing_to_press(page: Page, bench: Bench) -> None:
    show(page, bench.page, 1047)  # A4 across, without its margins
    look(page, 1047, "dark", "print")
    assert not [bar for bar in page.find_elements(By.CSS_SELECTOR, ".bar") if bar.is_displayed()]
    script = "return document.querySelector('#table').getBoundingClientRect().right"
    assert page.execute_script(script) <= 1047
    assert page.execute_script(CONTRAST) == []
    assert base64.b64decode(page.execute_cdp_cmd("Page.printToPDF", {})["data"])[:5] == b"%PDF-"


def moved(record: Record, size: int, axis: str, seed: int) -> Record:
    """A record as if of another model and seed, on a part of an axis."""
    scores = {k: v and v / (size + seed) for k, v in record.scores.items()}
    model = {"name": f"m{size}", "id": f"some/m{size}"}
    own = {"model": model, "axis": axis, "parameters": size * 10**6, "seed": seed}
    return record.model_copy(update={**own, "scores": scores})


def test_sizes_are_an_axis_and_parts_are_boards_of_their_own(page: Page, bench: Bench) -> None:
    records = records_in(bench.results)
    grid = product(records, (1, 2, 8), ("size=01", "size=10"), (0, 1))
    show(page, bench.of([moved(*one) for one in grid]))
    assert len(texts(page, "#scaling .mark")) == 3 * len(records)
    assert {"1.0M", "2.0M", "8.0M"} <= set(texts(page, "#scaling text"))
    choose(page, "model", "m8")
    assert len(methods(page)) == len(records)
    assert "forget size 01" in page.title
    choose(page, "board", "forget size 10")
    assert "forget size 10" in page.title
    assert len(methods(page)) == 3 * len(records)
    press(page, "button[aria-label='open m8 di']")
    assert texts(page, "#items tbody button")
    spread = page.find_element(By.CSS_SELECTOR, "#table .spread")
    assert spread.is_displayed()
    press(page, "#spread", Keys.SPACE)
    assert not spread.is_displayed()


def test_a_board_of_one_row_that_diverged_opens(page: Page, bench: Bench) -> None:
    (record,) = (r for r in records_in(bench.results) if r.method == "di")
    gaps = dict.fromkeys(record.scores, "diverged in epoch 2")
    lost = {
        "status": "diverged",
        "error": "loss is nan",
        "scores": {},
        "gaps": gaps,
        "curve": [9.0],
    }
    show(page, bench.of([record.model_copy(update=lost)]))
    assert not texts(page, "#pareto .mark")
    press(page, "button[aria-label$=' di']")
    assert "seed 0 diverged: loss is nan" in texts(page, "#rowbody")[0]
    assert not page.find_element(By.ID, "other").is_displayed()


def test_without_texts_it_says_so(page: Page, bench: Bench) -> None:
    assert not page.find_element(By.ID, "textless").is_displayed()
    bare = bench.folder / "bare.html"
    places = ["--results", f"{bench.folder}/results", "--cache", f"{bench.folder}/none"]
    bench.call("board", *places, "--format", "html", "--out", str(bare))
    show(page, bare)
    assert page.find_element(By.ID, "textless").is_displayed()
    press(page, "button[aria-label$=' di']")
    assert "not in the cache" in texts(page, "#rowtextless")[0]


def test_what_a_model_wrote_stays_text(page: Page, bench: Bench) -> None:
    records = records_in(bench.results)
    (model,) = bench.results.glob("*/")
    of = read_items(model / "di-0.parquet")
    item = next(name for metric, name, _, _ in of if metric == "forget_rouge")
    asked = {"": {"answers": {item: (HOSTILE, LINK)}}}
    answers = {r.name: {"answers": {item: HOSTILE + LINK}} for r in records}
    odd = [r.model_copy(update={"title": HOSTILE + LINK}) for r in records]
    show(page, bench.of(odd, Texts(asked, answers)))
    title = page.title
    assert title.startswith("<script>document.title = 'owned'")
    press(page, "button[aria-label$=' di']")
    choose(page, "itemcolumn", "forget rouge")
    page.find_element(By.ID, "itemfind").send_keys(item)
    press(page, "#items tbody button")
    (shown,) = texts(page, "#items td.text")
    assert HOSTILE in shown
    assert "javascript:alert(1)" in shown
    assert "⟨U+202E⟩gnirts⟨U+202C⟩⟨U+2028⟩ ⟨U+D800⟩ ⟨U+E0041⟩ </td></table> <!--" in shown
    assert not page.find_elements(By.CSS_SELECTOR, "main script, main img, main :not(svg) > a")
    assert page.title == title
    assert len(page.find_elements(By.TAG_NAME, "script")) == 2  # the data and the page's own
