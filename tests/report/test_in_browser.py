"""The page in headless Chromium: no errors, no requests, sorting, details, narrow and wide."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.report import reports

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="needs playwright: pip install playwright"
)

# What Chromium would otherwise look up on the network by itself, and what a container lacks.
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    )
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium, or name it with CHROMIUM")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield started
        started.close()


class Opened:
    """A page with everything it complained about or asked the network for."""

    def __init__(self, browser: Any, file: Path, width: int, scheme: str = "light") -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("console", lambda message: self.problems.append(message.text))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", self._requested)
        self.page.goto(file.as_uri())

    def _requested(self, request: Any) -> None:
        if not request.url.startswith(("file:", "data:")):
            self.problems.append(f"request to {request.url}")

    def names(self) -> list[str]:
        return [row.inner_text() for row in self.page.query_selector_all("#layer-table tbody th")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 1600])
@pytest.mark.parametrize("name", ["conv_net", "hostile", "deep", "guarded", "hopeless"])
def test_page_fits_and_is_quiet(
    browser: Any, name: str, width: int, scheme: str, tmp_path: Path
) -> None:
    made = getattr(reports, name)()
    opened = Opened(browser, made.folder / "report.html", width, scheme)
    opened.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.page.evaluate("innerWidth") == width
    assert opened.page.title().startswith("net.tflite")
    shot = tmp_path / "page.png"
    opened.page.screenshot(path=str(shot))
    assert shot.stat().st_size > 10_000
    assert opened.problems == []
    opened.context.close()


@pytest.mark.parametrize("name", ["conv_net", "guarded", "hopeless"])
def test_text_has_contrast(browser: Any, name: str) -> None:
    """At least 4.5:1 between every text and what is behind it, in both colour schemes."""
    script = """() => {
      const light = (c) => c.map((v) => v / 255)
        .map((v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
      const parse = (text) => text.match(/[\\d.]+/g).map(Number);
      const behind = (node) => {
        for (let at = node; at; at = at.parentElement) {
          const color = parse(getComputedStyle(at).backgroundColor);
          if (color.length === 3 || color[3] === 1) return color.slice(0, 3);
        }
        return [255, 255, 255];
      };
      const low = [];
      const texts = "p, li, th, td, dt, dd, a, h1, h2, b, span, small, button, text";
      for (const node of document.querySelectorAll(texts)) {
        const has = [...node.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
        if (!has || node.closest(".hidden, .skip")) continue;
        const style = getComputedStyle(node);
        const front = parse(node.tagName === "text" ? style.fill : style.color).slice(0, 3);
        const [a, b] = [light(front), light(behind(node))].sort((x, y) => y - x);
        const ratio = (a + .05) / (b + .05);
        if (ratio < 4.5) low.push([node.outerHTML.slice(0, 80), ratio.toFixed(2)]);
      }
      return low;
    }"""
    for scheme in ("light", "dark"):
        page = getattr(reports, name)().folder / "report.html"
        opened = Opened(browser, page, 1600, scheme)
        opened.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert opened.page.evaluate(script) == []
        opened.context.close()


def test_columns_sort_by_mouse_and_keyboard(browser: Any) -> None:
    made = reports.deep()
    opened = Opened(browser, made.folder / "report.html", 1600)
    headings = opened.page.query_selector_all("#layer-table th[data-sort]")
    first = headings[0].query_selector("button")
    first.click()
    assert headings[0].get_attribute("aria-sort") == "ascending"
    numbers = [int(name.split()[0].strip()) for name in opened.names()]
    assert numbers == list(range(1, reports.DEEP_LAYERS + 1))
    first.focus()
    opened.page.keyboard.press("Enter")
    assert headings[0].get_attribute("aria-sort") == "descending"
    assert [int(name.split()[0]) for name in opened.names()] == numbers[::-1]
    headings[5].query_selector("button").click()  # SQNR of the final model
    shown = [
        float(row.query_selector_all("td")[4].get_attribute("data-v"))
        for row in opened.page.query_selector_all("#layer-table tbody tr")
    ]
    assert shown == sorted(shown, reverse=True)
    assert len(opened.page.query_selector_all("[aria-sort]")) == 1
    assert opened.problems == []
    opened.context.close()


def test_filter_links_and_open_all(browser: Any) -> None:
    made = reports.deep()
    opened = Opened(browser, made.folder / "report.html", 390)
    wanted = made.report.layers[-1].name
    opened.page.fill("#filter", wanted.upper())
    visible = [r for r in opened.page.query_selector_all("#layer-table tbody tr") if r.is_visible()]
    assert len(visible) == 1
    assert "1 of 60" in opened.page.inner_text("#filter-result")
    visible[0].query_selector("a").click()
    details = opened.page.query_selector(f"#layer-{reports.DEEP_LAYERS}")
    assert details.get_attribute("open") is not None
    opened.page.click("#open-all")
    assert len(opened.page.query_selector_all("details.layer[open]")) == reports.DEEP_LAYERS
    assert opened.problems == []
    opened.context.close()


@pytest.mark.parametrize("width", [390, 1600])
def test_losses_of_the_guard_are_drawn_to_scale(browser: Any, width: int) -> None:
    """Dots, bars and the line of the bound, read off the page in pixels."""
    made = reports.guarded()
    record = made.report.guard
    assert record is not None
    opened = Opened(browser, made.folder / "report.html", width)
    opened.page.click("nav a[href='#guard']")
    rows = opened.page.query_selector_all("#guard .steps tbody tr")
    assert len(rows) == len(record.steps)

    def box(row: Any, kind: str) -> dict[str, float]:
        return dict(row.query_selector(f".track .{kind}").bounding_box())

    def middle(row: Any, kind: str) -> float:
        found = box(row, kind)
        return found["x"] + found["width"] / 2

    zero, bound = (middle(rows[0], kind) for kind in ("zero", "limit"))
    scale = (bound - zero) / record.bound  # pixels per point
    assert scale > 1
    for row, step in zip(rows, record.steps):
        track = row.query_selector(".track").bounding_box()
        assert middle(row, "point") == pytest.approx(zero + step.drop * scale, abs=1.5)
        error = box(row, "error")
        assert step.loss.low is not None
        assert step.loss.high is not None
        assert error["x"] == pytest.approx(zero + step.loss.low * scale, abs=1.5)
        assert error["width"] == pytest.approx((step.loss.high - step.loss.low) * scale, abs=1.5)
        assert track["x"] - 1 <= error["x"]
        assert error["x"] + error["width"] <= track["x"] + track["width"] + 1
        assert (middle(row, "point") <= bound + 1) == step.holds
    chosen = [row for row in rows if "chosen" in (row.get_attribute("class") or "")]
    assert [rows.index(row) for row in chosen] == [record.chosen]
    assert opened.problems == []
    opened.context.close()


def test_a_long_ranking_is_folded(browser: Any) -> None:
    opened = Opened(browser, reports.hopeless().folder / "report.html", 390)
    tables = opened.page.query_selector_all("#guard .ranking")
    visible = [sum(r.is_visible() for r in t.query_selector_all("tr")) for t in tables]
    assert visible == [12, 0, 12, 0]
    opened.page.click("#guard details summary")
    assert all(row.is_visible() for row in tables[1].query_selector_all("tr"))
    assert len(tables[1].query_selector_all("tr")) == 59 - 12
    opened.context.close()


def test_page_reads_without_script(browser: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((reports.conv_net().folder / "report.html").as_uri())
    assert len(page.query_selector_all("#layer-table tbody tr")) == 5
    page.click("#layer-2 > summary")
    assert page.query_selector("#layer-2 svg").is_visible()
    context.close()
