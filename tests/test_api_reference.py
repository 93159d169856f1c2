"""The site with the reference of the Python API."""

from __future__ import annotations

from pathlib import Path

import pytest

import tflite_eq

pytest.importorskip("pdoc")


def test_every_public_name_has_its_place_and_no_link_is_broken(tmp_path: Path) -> None:
    from tools import api_reference

    pages = {page.relative_to(tmp_path).as_posix() for page in api_reference.write(tmp_path)}
    assert {"tflite_eq.html", "tflite_eq/delegate.html"} <= pages
    page = (tmp_path / "tflite_eq.html").read_text()
    for name in set(tflite_eq.__all__) - {"__version__"}:
        assert f'id="{name}"' in page, name
    beginning = page.split('<section id="')[0]
    for target in ("#quantize", "#EasyQuantConverter", "#Config", "tflite_eq/delegate.html"):
        assert f'href="{target}"' in beginning, target


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    from tools import api_reference

    (tmp_path / "a.html").write_text('<a href="b.html#there"></a><a href="#here"></a>')
    (tmp_path / "b.html").write_text('<p id="other"></p>')
    found = api_reference._broken(tmp_path / "a.html", tmp_path)
    assert found == ["a.html: b.html#there", "a.html: #here"]
