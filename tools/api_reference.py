"""Reference of the public Python API as a static site: ``python -m tools.api_reference FOLDER``.

pdoc makes it of the docstrings, of public names only; links that lead nowhere are an error.
"""

from __future__ import annotations

import html.parser
import re
import sys
import types
from pathlib import Path
from urllib.parse import urldefrag

import tflite_eq
import tflite_eq.delegate

MODULES = (tflite_eq, tflite_eq.delegate)


def write(folder: Path) -> list[Path]:
    """The pages, one for the package and one for the delegate.

    Raises:
        ValueError: A page links to something that is not there.
    """
    import pdoc

    for module in MODULES:
        _load_public_names(module)
    pdoc.render.configure(docformat="google", show_source=False, footer_text=_footer())
    # "!" leaves out what is below: public names are documented where they belong.
    below = (r"!tflite_eq\.(?!delegate$).+", r"!tflite_eq\.delegate\..+")
    pdoc.pdoc("tflite_eq", "tflite_eq.delegate", *below, output_directory=folder)
    pages = sorted(folder.rglob("*.html"))
    if broken := [link for page in pages for link in _broken(page, folder)]:
        raise ValueError(f"links that lead nowhere: {', '.join(broken)}")
    return pages


def _load_public_names(module: types.ModuleType) -> None:
    """Names are imported on first use, and pdoc looks at what is there."""
    for name in module.__all__:
        getattr(module, name)


def _footer() -> str:
    return f"tflite_eq {tflite_eq.__version__}"


class _Links(html.parser.HTMLParser):
    """Ids of a page, and what it links to."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the tag has of them."""
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            elif tag == "a" and name == "href" and value and not re.match(r"\w+:", value):
                self.targets.append(value)


def _parsed(page: Path) -> _Links:
    links = _Links()
    links.feed(page.read_text(encoding="utf-8"))
    return links


def _broken(page: Path, folder: Path) -> list[str]:
    links, broken = _parsed(page), []
    for target in links.targets:
        path, fragment = urldefrag(target)
        other = (page.parent / path) if path else page
        if not other.is_file() or (fragment and fragment not in _parsed(other).ids):
            broken.append(f"{page.relative_to(folder)}: {target}")
    return broken


if __name__ == "__main__":
    print(*write(Path(sys.argv[1])), sep="\n")
