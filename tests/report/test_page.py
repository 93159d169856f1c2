"""The page, the table and the node data: well-formed, self-contained, safe against any name."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import re
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests import models
from tests.report import reports
from tflite_eq import quantize
from tflite_eq.errors import TfliteEqError
from tflite_eq.graph.model import Graph
from tflite_eq.report.findings import find
from tflite_eq.report.html import report_html
from tflite_eq.report.write import layers_csv, write_report

_VOID = {"meta", "link", "input", "br", "img", "hr"}


class Page(html.parser.HTMLParser):
    """Keeps the tree's shape, all ids, links and scripts; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attributes:
            if name == "id":
                self.ids.append(value or "")
            if name == "href" and tag != "link":
                self.links.append(value or "")
            if name in ("src", "srcset", "data", "action") or (tag == "link" and name == "href"):
                self.loads.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize("name", ["conv_net", "hostile", "deep", "guarded", "hopeless"])
def test_page_is_well_formed_and_needs_nothing_else(name: str) -> None:
    text = getattr(reports, name)().page
    page = Page(text)
    assert len(set(page.ids)) == len(page.ids)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert all(link.startswith("#") for link in page.links)
    assert [load for load in page.loads if not load.startswith("data:")] == []
    assert not re.search(r"https?://|url\(|@import", text)
    assert page.handlers == []
    for heading in ("h1", "h2", "h3"):
        assert heading in page.tags
    assert page.tags.count("h1") == 1


def test_page_says_whether_channels_were_scaled() -> None:
    scaled = reports.conv_net()
    channels = sum(len(factors.factors) for factors in scaled.result.calibration.equalization)
    assert channels > 0
    assert f"{channels} channels were scaled before quantizing" in scaled.page
    assert "those of TFLite's default, which scales nothing" in scaled.page
    assert reports.guarded().report.summary["scaled_channels"] == 0
    assert "channels were scaled" not in reports.guarded().page


@pytest.mark.parametrize("name", ["conv_net", "deep"])
def test_charts_are_xml_with_a_description(name: str) -> None:
    charts = re.findall(r"<svg.*?</svg>", getattr(reports, name)().page, re.DOTALL)
    layers = getattr(reports, name)().report.layers
    assert len(charts) >= 4 * len(layers)
    for chart in charts:
        tree = ElementTree.fromstring(chart)
        assert len(tree.attrib["aria-label"]) > 20
        assert not re.search(r"\b(nan|inf)\b", chart)


def test_hostile_names_stay_text() -> None:
    made = reports.hostile()
    page = Page(made.page)
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    assert reports.HOSTILE not in made.page
    assert any(reports.HOSTILE in text for text in page.text)
    plain = json.loads((made.folder / "report.json").read_text())
    assert plain["layers"][0]["name"].startswith(reports.HOSTILE)
    rows = list(csv.DictReader((made.folder / "layers.csv").open(newline="")))
    assert rows[0]["name"] == plain["layers"][0]["name"]


def test_hostile_names_in_the_record_of_the_guard_stay_text() -> None:
    made = reports.hopeless()
    page = Page(made.page)
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    assert reports.HOSTILE not in made.page
    plain = json.loads((made.folder / "report.json").read_text())["guard"]
    assert plain["steps"][1]["kept_int8"][0].startswith(reports.HOSTILE)


def test_what_the_guard_found_reaches_page_and_data() -> None:
    made = reports.guarded()
    record = made.report.guard
    assert record is not None
    assert record.final.kept_float
    text = " ".join(" ".join(Page(made.page).text).split())
    for step in record.steps:
        assert step.loss.text(2) in text
    assert f"bound {record.bound:g}; {record.plain.drop:.2f} with nothing kept" in text
    assert "200 samples" in text
    for option in record.options:
        assert option in text
    for ranking in (record.int8_ranking, record.float_ranking):
        assert ranking
        assert all(f"{100 * entry.noise:.2g} %" in text for entry in ranking)
    plain = json.loads((made.folder / "report.json").read_text())
    assert plain["guard"]["chosen"] == record.chosen
    assert plain["guard"]["keep_int8"] == record.keep_int8
    assert plain["guard"]["skip"] == record.skip
    prices = [step["price"]["size_bytes"] for step in plain["guard"]["steps"]]
    assert prices[record.chosen] == len(made.result.model)
    assert "The bound of 4 points holds" in {found["title"] for found in plain["findings"]}
    assert plain["suggestions"] == []


def test_a_bound_that_is_not_met_is_the_first_thing_to_know() -> None:
    [first, *_] = find([], [], [], reports.hopeless().report.guard)
    assert (first.level, first.title) == ("problem", "The bound of 0.5 points cannot be met")
    assert "best model found" in first.text
    assert "No model tried keeps the bound" in " ".join(Page(reports.hopeless().page).text)


def test_facts_of_the_process_are_apart() -> None:
    """Everything but them is the same whoever runs it, and however often."""
    made = reports.conv_net()
    with tempfile.TemporaryDirectory() as folder:
        again = quantize(
            made.model,
            models.data("conv_net"),
            reports.CONFIG,
            report_dir=folder,
            comparison=made.comparison,
            origin="net.tflite",
        )
        for path in sorted(made.folder.rglob("*")):
            if not path.is_file():
                continue
            other = Path(folder) / path.relative_to(made.folder)
            first, second = path.read_text(), other.read_text()
            if path.name == "report.json":
                facts = [json.loads(text).pop("process") for text in (first, second)]
                assert set(facts[0]) == {"peak_memory_mib", "cpu_seconds"}
                pattern = r'"process": \{[^}]*\}'
            else:
                pattern = r"peak memory \d+ MiB"
            assert re.sub(pattern, "", first) == re.sub(pattern, "", second), path.name
    assert again.report.process.peak_memory_mib > 50


def test_sixty_layers_are_small_and_quick(tmp_path: Path) -> None:
    made = reports.deep()
    assert len(made.report.layers) == reports.DEEP_LAYERS
    started = time.process_time()
    write_report(made.report, tmp_path)
    assert time.process_time() - started < 10
    assert (tmp_path / "report.html").stat().st_size < 3_000_000


def test_figures_reach_the_page() -> None:
    made = reports.conv_net()
    text = " ".join(Page(made.page).text)
    for layer in made.report.layers:
        assert layer.comparison is not None
        assert f"{layer.comparison.sqnr_db_final:.1f}" in text
        assert f"{layer.comparison.cosine_final:.5f}" in text
    assert made.report.compared_on in text
    assert "net.tflite" in text


def test_table_begins_with_the_layer_that_adds_most_noise() -> None:
    made = reports.deep()
    numbers = [int(n) for n in re.findall(r'class="name" data-v="(\d+)"', made.page)]
    noise = [layer.comparison.added_noise for layer in made.report.layers if layer.comparison]
    assert numbers == sorted(numbers, key=lambda n: -noise[n - 1])
    assert sorted(numbers) == list(range(1, reports.DEEP_LAYERS + 1))


def test_layers_csv_is_tidy() -> None:
    made = reports.conv_net()
    rows = list(csv.reader(io.StringIO(layers_csv(made.report))))
    assert len({len(row) for row in rows}) == 1
    assert all(re.fullmatch(r"[a-z][a-z0-9_.-]*", name) for name in rows[0])
    assert [row[0] for row in rows[1:]] == [str(i + 1) for i in range(len(made.report.layers))]


def test_layers_csv_in_pandas() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    made = reports.conv_net()
    frame = pandas.read_csv(made.folder / "layers.csv")
    assert len(frame) == len(made.report.layers)
    wanted = [layer.comparison.sqnr_db_final for layer in made.report.layers if layer.comparison]
    assert frame.sqnr_db_final.tolist() == pytest.approx(wanted)
    assert frame.winograd_f43_headroom_bits.isna().sum() == 3  # two layers are 3x3 of stride 1


def test_node_data_name_nodes_of_both_models() -> None:
    made = reports.conv_net()
    files = sorted((made.folder / "model_explorer").iterdir())
    assert {file.name for file in files} >= {"sqnr_db.json", "added_noise_percent.json"}
    for data in (made.model, made.result.model):
        graph = Graph.from_bytes(data)
        names = {graph.tensors[i].name for o in graph.operators for i in o.outputs}
        for file in files:
            plain = json.loads(file.read_text())
            assert set(plain["results"]) <= names
            assert set(plain) - {"gradient", "thresholds"} == {"results"}
            assert all(type(entry["value"]) in (int, float) for entry in plain["results"].values())
            stops = [item["stop"] for item in plain.get("gradient", [])]
            assert stops in ([], [0, 0.5, 1])
    values = json.loads((made.folder / "model_explorer" / "sqnr_db.json").read_text())["results"]
    for layer in made.report.layers:
        assert layer.comparison is not None
        assert values[layer.name]["value"] == pytest.approx(
            layer.comparison.sqnr_db_final, abs=1e-3
        )


def test_report_of_a_record_alone_has_a_page() -> None:
    """Neither a comparison nor details: what ``quantize`` without a report folder knows."""
    from tests import running

    text = report_html(running.quantized("conv_net").report)
    page = Page(text)
    assert {link[1:] for link in page.links} <= set(page.ids)


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(TfliteEqError, match="is a file; choose another folder"):
            write_report(reports.conv_net().report, folder)
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "model_explorer").write_text("")
    with pytest.raises(TfliteEqError, match="model_explorer is a file"):
        write_report(reports.conv_net().report, tmp_path / "report")


def test_failure_half_way_leaves_the_old_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(reports.conv_net().report, tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    count = 0

    def full_disk(descriptor: int) -> None:
        nonlocal count
        count += 1
        if count == 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(TfliteEqError, match="No space left on device"):
        write_report(reports.deep().report, tmp_path)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
