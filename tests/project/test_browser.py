"""Pairs on the screen: the book and JupyterLab, looked at in a real browser.

Nothing is executed: the pages show what is saved in the notebooks. A page on which
something is wrong leaves its screenshot in build/screenshots.
"""

import contextlib
import functools
import http.server
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import nbformat
import pytest
import sidebyside
import yaml
from bs4 import BeautifulSoup
from servers import jupyterlab
from sidebyside.kernel import style

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
# The width that leaves least to each of two columns is that of a small laptop.
WIDE, LAPTOP, NARROW, PHONE = 1400, 1280, 600, 360

# From this width of the window on there are two columns, also beside JupyterLab's list
# of files and the book's contents.
TWO_COLUMNS = 1240

sys.path.insert(0, str(ROOT / "tools"))
from screenshot import (  # noqa: E402
    BROWSERS,
    PATIENCE,
    find_browser,
    new_page,
    open_browser,
)

pytestmark = pytest.mark.skipif(
    find_browser() is None and "CI" not in os.environ,
    reason=f"none of {', '.join(BROWSERS)} is installed"
    " (on Debian `make test` installs chromium)",
)

DICTIONARY = "book/dictionary"

each_notebook = pytest.mark.parametrize(
    "notebook", NOTEBOOKS, ids=lambda path: path.stem
)


# --------------------------------------------------------------------------------
# What is asked of a page, the same for the book and for JupyterLab

# Everything that has a place: the cells, and in the halves of pairs what they hold.
LOOK = """
async () => {
  const half = (name) => [`.cell-tag-pair.cell-tag-${name}`, `.tag_pair.tag_${name}`,
                          `.celltag_pair.celltag_${name}`].join();
  const [R, Python] = ["r", "python"].map(half);
  const inside = `img, .jp-RenderedSVG svg, .cell_output svg, .cell_input, .cell_output,
                  .jp-InputArea, .jp-OutputArea, .jp-InputArea-editor`;
  const scrolls = ".cm-scroller, pre, .jp-OutputArea-output, .output";
  const place = (e) => {
    const {left, top, right, bottom} = e.getBoundingClientRect();
    return {left, top, right, bottom};
  };
  const lab = document.querySelector(".jp-WindowedPanel-outer");
  if (lab) {
    // The browser leaves out what is out of sight; give it its true size.
    for (const cell of lab.querySelectorAll(".jp-Notebook-cell")) {
      cell.style.contentVisibility = "visible";
    }
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    await frame();
    await frame();
  }
  const halves = [];
  for (const half of document.querySelectorAll(`${R}, ${Python}`)) {
    const before = getComputedStyle(half, "::before");
    const next = half.nextElementSibling;
    halves.push({
      language: half.matches(R) ? "R" : "Python",
      place: place(half),
      next: next && {isPython: next.matches(Python), place: place(next)},
      input: place(half.querySelector(".cell_input, .jp-InputArea-editor")),
      inside: [...half.querySelectorAll(inside)].map(
        (e) => ({what: e.className || e.tagName, ...place(e)})),
      cut: [...half.querySelectorAll(scrolls)]
        .filter((e) => e.scrollWidth > e.clientWidth + 1)
        .map((e) => e.textContent.trim().slice(0, 40)),
      breaksWords: [...half.querySelectorAll(".jp-RenderedText pre")].some(
        (e) => getComputedStyle(e).wordBreak !== "normal"),
      label: before.content,
      colour: before.borderTopColor,
    });
  }
  const scrolled = lab ?? document.documentElement;
  return {halves, width: scrolled.clientWidth, contentWidth: scrolled.scrollWidth};
}
"""

# Cells that lie on another cell, however little.
OVERLAPS = """
() => {
  const all = document.querySelectorAll(".jp-Notebook-cell, main .cell");
  const cells = [...all].map((e) => e.getBoundingClientRect());
  const found = [];
  for (const [i, a] of cells.entries()) for (const b of cells.slice(i + 1)) {
    const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (width > 1 && height > 1) found.push([i, width, height]);
  }
  return found;
}
"""


# The number of texts on the page, and those with less contrast than WCAG 2.2 asks for
# at level AA (1.4.3): 4.5, or 3 for large text. Relative luminance and contrast are as
# defined there.
CONTRAST = """
() => {
  for (const animation of document.getAnimations()) animation.finish();
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d", {willReadFrequently: true});
  const known = new Map();
  const rgba = (colour) => {  // of any notation, color-mix() among them
    if (!known.has(colour)) {
      context.clearRect(0, 0, 1, 1);
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
      known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
  };
  const over = (top, below) => below.map((c, i) => top[i] * top[3] + c * (1 - top[3]));
  const ground = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const colour = rgba(getComputedStyle(e).backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const luminance = (colour) => {
    const [r, g, b] = colour.map((c) =>
      (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };
  const found = {};
  const judge = (element, style, text) => {
    const below = ground(element);
    const is = contrast(over(rgba(style.color), below), below);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (is < (large ? 3 : 4.5)) {
      const pair = `${style.color} on ${below.map(Math.round)}: ${is.toFixed(2)}`;
      found[pair] = text.trim().slice(0, 40);
    }
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (texts.nextNode()) {
    const {data, parentElement: element} = texts.currentNode;
    if (!data.trim() || !element.checkVisibility()) continue;
    if (element.closest("svg, script, style, noscript")) continue;
    judge(element, getComputedStyle(element), data);
    seen += 1;
  }
  for (const half of document.querySelectorAll(".tag_pair")) {
    if (!half.checkVisibility()) continue;
    judge(half, getComputedStyle(half, "::before"), "the name of a half");
  }
  return {seen, found};
}
"""

# What goes beyond the right edge of the window; code, tables and outputs scroll.
WIDER_THAN_THE_WINDOW = """
() => {
  const width = document.documentElement.clientWidth;
  const scrolls = "pre, .pst-scrollable-table-container, .cell_output, .pst-sidebar," +
    "dialog";
  const found = [...document.querySelectorAll("body *")].filter((e) =>
    e.checkVisibility() && e.getBoundingClientRect().right > width + 1
    && !e.closest(scrolls));
  const page = document.documentElement;
  if (page.scrollWidth > width) found.push(page);
  return found.map((e) => `${e.tagName} ${e.className}`);
}
"""


def check_contrast(page):
    read = page.evaluate(CONTRAST)
    assert read["seen"] > 20
    assert read["found"] == {}


def rgb(colour):
    return "rgb({}, {}, {})".format(*(int(colour[i : i + 2], 16) for i in (1, 3, 5)))


def width_of(place):
    return place["right"] - place["left"]


def problems(page, notebook, width, colours):
    """Everything that is not as it should be with the pairs of a page, as sentences."""
    found = []
    seen = page.evaluate(LOOK)
    tags = [set(cell.metadata.get("tags", [])) for cell in cells_of(notebook)]
    expected = ["R" if "r" in t else "Python" for t in tags if "pair" in t]
    if [half["language"] for half in seen["halves"]] != expected:
        found.append(f"{len(seen['halves'])} halves are shown, of {len(expected)}")
    if seen["contentWidth"] > seen["width"]:
        found.append(f"the page is {seen['contentWidth']} wide, of {seen['width']}")
    for number, half in enumerate(seen["halves"], 1):
        place, language = half["place"], half["language"]
        wrong = {
            "is labelled": half["label"] != f'"{language}"',
            "has a rule in another colour": half["colour"] != rgb(colours[language]),
            "is not used for code": width_of(half["input"]) < 0.9 * width_of(place),
            "holds what sticks out": any(
                part["left"] < place["left"] - 1 or part["right"] > place["right"] + 1
                for part in half["inside"]
            ),
            "breaks words": half["breaksWords"],
            f"is cut off: {half['cut']}": width >= TWO_COLUMNS and half["cut"],
        }
        if language == "R" and half["next"] and half["next"]["isPython"]:
            other = half["next"]["place"]
            lower = other["top"] - place["top"]
            if width >= TWO_COLUMNS:
                wrong["is not beside"] = (
                    abs(lower) > 1 or place["right"] > other["left"]
                )
                wrong["is not as wide"] = abs(width_of(place) - width_of(other)) > 1
            else:
                wrong["is not above"] = (
                    other["top"] < place["bottom"] - 1
                    or abs(place["left"] - other["left"]) > 1
                )
        found += [f"half {number} ({language}) {x}" for x in wrong if wrong[x]]
    if overlaps := page.evaluate(OVERLAPS):
        found.append(f"cells overlap: {overlaps}")
    return found


def check_pairs(page, notebook, width, colours=None):
    """Nothing is wrong with the pairs in a window of this width; else a screenshot."""
    page.set_viewport_size({"width": width, "height": 900})
    found = problems(page, notebook, width, colours or LIGHT)
    if found:
        place = "lab" if "/lab" in page.url else "page"
        name = f"{place}-{Path(notebook).stem}-{width}.png"
        page.screenshot(path=SCREENSHOTS / name, full_page=True)
    assert found == []


def cells_of(notebook):
    return nbformat.read(notebook, as_version=4).cells


def alternative_texts(notebook):
    """What alt_text() stored with the figures; one as PNG and as SVG has it twice."""
    stored = [
        [
            metadata["alt"]
            for mime, metadata in output.get("metadata", {}).items()
            if mime.startswith("image/") and "alt" in metadata
        ]
        for cell in cells_of(notebook)
        for output in cell.get("outputs", [])
    ]
    return [texts[0] for texts in stored if texts]


BOOK_STYLE = "link[href*='_static/style.css']"
LAB_STYLE = "link[href*='extensions/sidebyside/']"


@contextlib.contextmanager
def without(page, stylesheet):
    """The page as it is when the style does not reach it."""
    switch = "([link, off]) => { document.querySelector(link).disabled = off; }"
    page.evaluate(switch, [stylesheet, True])
    yield
    page.evaluate(switch, [stylesheet, False])


def check_that_it_can_fail(page, stylesheet, notebook):
    with without(page, stylesheet):
        found = " ".join(problems(page, notebook, WIDE, LIGHT))
    assert "is not beside" in found
    assert "is labelled" in found


LIGHT = {"R": sidebyside.R, "Python": sidebyside.PYTHON}
DARK = {"R": sidebyside.R_LIGHT, "Python": sidebyside.PYTHON_LIGHT}


@pytest.fixture(scope="module")
def browser():
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with open_browser() as browser:
        yield browser


class Watch:
    """What a page complained about, and whom it called."""

    def __init__(self, page):
        self.complaints, self.urls = [], []
        page.on("console", self.note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfailed", lambda request: self.complaints.append(request.url))
        page.on("request", lambda request: self.urls.append(request.url))

    def note(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


# --------------------------------------------------------------------------------
# The book


def build_book(folder, *options):
    """Build as `make book` does, each warning an error."""
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning"]
    command += ["--conf-dir", "book", "--doctree-dir", str(folder / "cache")]
    result = subprocess.run(
        [*command, *options, ".", str(folder / "book")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return folder / "book"


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    return build_book(tmp_path_factory.mktemp("book"))


def parsed(path):
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def site(book):
    """The address of the book on a web server, which its search needs."""
    handler = functools.partial(Quiet, directory=str(book))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextlib.contextmanager
def page_of(browser, site, name):
    """A page of the book, which must not complain or call another server."""
    page = new_page(
        browser, viewport={"width": WIDE, "height": 1000}, color_scheme="light"
    )
    watch = Watch(page)
    page.goto(site + name)
    yield page, watch
    page.close()
    assert watch.complaints == []
    assert [url for url in watch.urls if not url.startswith((site, "data:"))] == []


@pytest.fixture
def book_page(browser, site):
    """Opens a page of the book."""
    with contextlib.ExitStack() as opened:
        yield lambda name: opened.enter_context(page_of(browser, site, name))[0]


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def shown(request, browser, site):
    """A notebook of the book, opened once for all that is asked of it."""
    name = f"notebooks/{request.param.stem}.html"
    with page_of(browser, site, name) as (page, watch):
        yield request.param, page, watch


def set_scheme(page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.wait_for_selector(f"html[data-theme={scheme}]")


OUTPUT_HEIGHTS = """
() => [...document.querySelectorAll(".tag_pair.tag_r")].flatMap((r) => {
  const output = (half) => half.querySelector(":scope > .cell_output");
  const [a, b] = [r, r.nextElementSibling].map(output);
  return a && b ? [a.getBoundingClientRect().top - b.getBoundingClientRect().top] : [];
})
"""


def test_book_has_pairs_side_by_side(shown):
    notebook, page, _ = shown
    assert [gap for gap in page.evaluate(OUTPUT_HEIGHTS) if abs(gap) > 1] == []
    texts = page.evaluate(
        "() => [...document.querySelectorAll('.cell_output img')]"
        ".map((image) => image.alt)"
    )
    assert texts == alternative_texts(notebook)
    if notebook == NOTEBOOKS[0]:
        check_that_it_can_fail(page, BOOK_STYLE, notebook)
    check_pairs(page, notebook, LAPTOP)
    check_pairs(page, notebook, NARROW)
    check_pairs(page, notebook, PHONE)
    assert page.evaluate(WIDER_THAN_THE_WINDOW) == []
    set_scheme(page, "dark")
    check_pairs(page, notebook, WIDE, DARK)
    check_contrast(page)
    set_scheme(page, "light")


OTHER_PAGES = [
    "index",
    DICTIONARY,
    "notebooks/bibliography",
    "notebooks/gallery",
    "notebooks/glossary",
    "notebooks/learning",
    "notebooks/measuring",
    "notebooks/teaching",
    "CONTRIBUTING",
    "data/README",
    "data/timings/README",
    "binder/README",
]


@pytest.mark.parametrize("name", OTHER_PAGES)
def test_the_other_pages_can_be_read_by_day_by_night_and_on_a_phone(book_page, name):
    page = book_page(f"{name}.html")
    check_contrast(page)
    set_scheme(page, "dark")
    check_contrast(page)
    page.set_viewport_size({"width": PHONE, "height": 740})
    assert page.evaluate(WIDER_THAN_THE_WINDOW) == []


def test_what_cannot_be_read_or_sticks_out_is_found(book_page):
    page = book_page("index.html")
    page.add_style_tag(
        content=".bd-article p { color: #888; } .bd-article h1 { width: 2000px; }"
    )
    assert any(
        "rgb(136, 136, 136)" in colours for colours in page.evaluate(CONTRAST)["found"]
    )
    assert "H1 " in page.evaluate(WIDER_THAN_THE_WINDOW)


def shown_halves(page):
    """Languages whose halves are there, and how much of the width a half has."""
    return page.evaluate("""() => {
      const shown = [...document.querySelectorAll("main .tag_pair:not(.tag_exercise)")]
        .filter((half) => half.checkVisibility());
      const [half] = shown;
      const width = (e) => e.getBoundingClientRect().width;
      const share = width(half) / width(half.parentElement);
      const names = shown.map((half) => half.matches(".tag_r") ? "R" : "Python");
      return [[...new Set(names)].join(" "), share > 0.9];
    }""")


def test_one_language_can_be_chosen_and_is_remembered(book_page):
    page = book_page("notebooks/01_mnist.html")
    assert shown_halves(page) == ["R Python", False]
    page.get_by_label("R only").check()
    assert shown_halves(page) == ["R", True]
    # Without its other half nobody could do a translation.
    translations = page.locator("main .tag_pair.tag_exercise")
    assert [half.is_visible() for half in translations.all()] == [True, True]
    assert page.evaluate(OVERLAPS) == []
    page.goto(page.url.replace("01_mnist", "00_start_here"))
    assert shown_halves(page) == ["R", True]
    page.get_by_label("R only").focus()
    for expected in ["Python", True], ["R Python", False]:
        page.keyboard.press("ArrowRight")
        assert shown_halves(page) == expected
    page.evaluate("localStorage.setItem('sidebyside-pairs', 'nonsense')")
    page.reload()
    assert shown_halves(page) == ["R Python", False]


# What is seen of the solutions of a page's exercises.
SOLUTIONS = """
() => [...document.querySelectorAll("details")]
  .filter((d) => d.querySelector("summary").textContent.trim() === "Solution")
  .map((d) => d.querySelector("pre").checkVisibility())
"""


def unfold(page):
    """Click on each solution; what is seen before and after."""
    before = page.evaluate(SOLUTIONS)
    for summary in page.locator("summary", has_text="Solution").all():
        summary.click()
    return before, page.evaluate(SOLUTIONS)


def test_solutions_are_hidden_until_they_are_asked_for(shown):
    _, page, _ = shown
    assert unfold(page) == ([False] * 3, [True] * 3)
    assert page.evaluate(OVERLAPS) == []
    assert page.evaluate(WIDER_THAN_THE_WINDOW) == []
    check_contrast(page)


def test_code_is_copied_without_the_line_for_jupyter(book_page):
    page = book_page("notebooks/01_mnist.html")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_label("Copy R code").first.click()
    page.get_by_text("Copied").first.wait_for()
    copied = page.evaluate("""async () => {
      const found = [await navigator.clipboard.readText()];
      for (const button of document.querySelectorAll(".cell .copy-code")) {
        button.focus();
        button.click();
        await Promise.resolve();
        found.push(await navigator.clipboard.readText());
      }
      return found;
    }""")
    cells = cells_of(ROOT / "notebooks" / "01_mnist.ipynb")
    sources = [cell.source for cell in cells if cell.cell_type == "code"]
    first_r = next(source for source in sources if source.startswith("%%R"))
    expected = [re.sub(r"^%%R.*\n", "", source) for source in [first_r, *sources]]
    assert copied == expected
    assert page.locator(".cell_output .copy-code").count() == 0


def test_without_a_clipboard_code_is_copied_too_and_the_button_keeps_the_focus(browser):
    page = new_page(browser)
    script = (ROOT / "book" / "static" / "book.js").read_text()
    code = (
        '<div class="bd-main"><div class="highlight-r">'
        "<pre>%%R\nx &lt;- 1\n</pre></div></div>"
    )
    page.set_content(f"{code}<textarea></textarea><script>{script}</script>")
    assert page.evaluate("navigator.clipboard === undefined")
    page.get_by_role("button", name="Copy code").focus()
    page.keyboard.press("Enter")
    page.get_by_text("Copied").first.wait_for()
    assert page.evaluate("document.activeElement.textContent") == "Copied"
    page.locator("textarea").focus()
    page.keyboard.press("Control+V")
    assert page.locator("textarea").input_value() == "x <- 1"
    page.close()


def test_everything_can_be_reached_and_seen_with_the_key_tab(book_page):
    page = book_page("notebooks/00_start_here.html")
    names, invisible = [], []
    for _ in range(100):
        page.keyboard.press("Tab")
        name, seen = page.evaluate("""() => {
          for (const animation of document.getAnimations()) animation.finish();
          const e = document.activeElement;
          if (e === document.body) return [null, false];
          const box = (e.closest(".pairs-switch label") ?? e).getBoundingClientRect();
          const marked = [e, e.closest("label")].some((x) => x
            && (getComputedStyle(x).outlineStyle !== "none"
                || getComputedStyle(x).boxShadow !== "none"));
          const inSight = box.bottom > 0 && box.top < innerHeight
            && box.right > 0 && box.width > 0;
          const text = (e.closest("label") ?? e).textContent.trim();
          return [e.getAttribute("aria-label") ?? text, marked && inSight];
        }""")
        if name is None:  # past the last
            break
        names.append(name)
        if not seen:
            invisible.append(name)
    wanted = ["Skip to main content", "Search", "both", "JupyterLab", "Download"]
    wanted += ["Copy code", "Copy R code", "Copy Python code"]
    places = [
        next(i for i, name in enumerate(names) if name.startswith(w)) for w in wanted
    ]
    assert places[0] == 0
    assert places == sorted(places)
    assert invisible == []


def test_the_dictionary_finds_a_word(book_page):
    page = book_page(f"{DICTIONARY}.html")
    rows = page.locator("table.dictionary tbody tr")
    everything = rows.count()
    assert everything > 50
    said = page.locator(".dictionary-filter [role=status]")
    assert said.inner_text() == f"{everything} rows"
    page.get_by_label("Find in the tables").focus()
    page.keyboard.type("Layers.Dropout")
    shown = rows.locator("visible=true")
    assert [row.split()[:2] for row in shown.all_inner_texts()] == [
        ["layer_dropout()", "layers.Dropout()"]
    ]
    assert said.inner_text() == f"1 of {everything} rows"
    shown.locator("a").first.click()
    assert re.search(r"notebooks/01_mnist\.html#[\w-]+$", page.url)
    assert "layer_dropout" in page.locator(":target").inner_text()


def test_a_notebook_of_the_book_weighs_less_than_two_megabytes(shown, book, site):
    _, page, watch = shown
    check_weight(page, watch, book, site)


@pytest.mark.parametrize("name", ["index", DICTIONARY])
def test_a_page_weighs_less_than_two_megabytes(browser, book, site, name):
    with page_of(browser, site, f"{name}.html") as (page, watch):
        check_weight(page, watch, book, site)


def check_weight(page, watch, book, site):
    page.wait_for_load_state("networkidle")
    files = {
        unquote(urlsplit(url).path).lstrip("/")
        for url in watch.urls
        if url.startswith(site)
    }
    sizes = {file: (book / file).stat().st_size for file in files}
    assert sum(sizes.values()) < 2e6, sizes


def test_no_link_in_the_book_is_dead(book):
    files = [x for x in book.rglob("*.html") if "_static" not in x.parts]
    pages = {path: parsed(path) for path in files}
    dead = []
    for path, page in pages.items():
        tags = [*page.find_all(href=True), *page.find_all(src=True)]
        for address in (tag.get("href") or tag["src"] for tag in tags):
            parts = urlsplit(address)
            if parts.scheme or not (parts.path or parts.fragment):
                continue
            target = path
            if parts.path:
                target = (path.parent / unquote(parts.path)).resolve()
            place = {"id": unquote(parts.fragment)} if parts.fragment else {}
            if not target.is_file() or (
                target in pages and not pages[target].find(attrs=place)
            ):
                dead.append(f"{path.name}: {address}")
    assert dead == []


PARTS = {
    "Lessons": "learning 00 01 02 03 measuring 04 05 06 07",
    "Gallery": "gallery 10 11 12 13 14 15 16 17 18",
    "Reference": "glossary dictionary timings bibliography",
    "For teachers and maintainers": "teaching data binder CONTRIBUTING",
}


def test_the_sidebar_has_the_parts_of_the_book_in_the_order_of_its_pages(book):
    page = parsed(book / "README.html")
    contents = page.find("nav", attrs={"aria-label": "Contents"})
    captions = [caption.text.strip() for caption in contents.select(".caption")]
    assert captions == list(PARTS)
    links = contents.select("li a")
    wanted = " ".join(PARTS.values()).split()
    for link, name in zip(links, wanted, strict=True):
        assert name in link["href"]
        assert link.text.startswith(name) or not name.isdigit()
    path, order = book / "README.html", []
    while link := parsed(path).find("a", class_="right-next"):
        path = (path.parent / link["href"]).resolve()
        order.append(path)
    assert order == [(book / link["href"]).resolve() for link in links]


def test_the_front_page_has_the_answer_and_three_ways_in(book):
    page = parsed(book / "index.html")
    assert "The same time?" in page.find("article").find_all("p")[1].text
    cards = page.select(".sd-card")
    assert [bool(card.select("a[href]")) for card in cards] == [True] * 3


def test_each_page_says_licence_version_date_and_how_to_cite(book):
    [colophon] = parsed(book / "notebooks" / "01_mnist.html").select(".colophon")
    version = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))["version"]
    said = " ".join(colophon.text.split())
    assert "CC BY 4.0, code MIT." in said
    assert re.search(
        rf"Version {version}, \d+ \w+ 20\d\d\. Cite as: .* \(20\d\d\)", said
    )


def test_the_book_can_be_searched(book_page):
    page = book_page("search.html?q=dropout")
    page.wait_for_selector("#search-results li a[href*='01_mnist']")
    # A term of the glossary, as such.
    page.wait_for_selector("#search-results li a[href*='glossary.html#term-dropout']")


@each_notebook
def test_every_notebook_can_be_downloaded(book, notebook):
    page = parsed(book / "notebooks" / f"{notebook.stem}.html")
    link = page.find("a", download=notebook.name)
    assert (book / "notebooks" / link["href"]).read_bytes() == notebook.read_bytes()
    # Nobody has said where the repository is.
    assert "mybinder" not in str(page)
    assert page.find_all("a", string=["Edit", "Report a problem"]) == []


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("notebooks/01_mnist", "make lab ARGS=notebooks/01_mnist.ipynb"),
        (DICTIONARY, "make lab"),
    ],
)
def test_a_page_says_how_it_is_opened_at_home(book, name, command):
    page = parsed(book / f"{name}.html")
    assert page.select_one(".open-at-home pre").text == command
    assert bool(page.select(".pairs-switch")) == name.startswith("notebooks/")


def test_with_the_repositorys_address_pages_open_in_binder_and_on_a_hub(tmp_path):
    repository = "https://github.com/someone/something"
    hub = "jupyterhub_url=https://hub.example.org/"
    book = build_book(tmp_path, "-D", f"repository_url={repository}", "-D", hub)
    for name, source, opened in (
        ("notebooks/01_mnist", "notebooks/01_mnist.ipynb", "01_mnist"),
        (DICTIONARY, "book/dictionary.md", "00_start_here"),
    ):
        page = parsed(book / f"{name}.html")
        assert page.find("a", string="Open in Binder")["href"] == (
            "https://mybinder.org/v2/gh/someone/something/HEAD"
            f"?labpath=notebooks/{opened}.ipynb"
        )
        link = urlsplit(page.find("a", string="Open in JupyterLab")["href"])
        assert link.netloc + link.path == "hub.example.org/hub/user-redirect/git-pull"
        assert parse_qs(link.query) == {
            "repo": [repository],
            "urlpath": [f"lab/tree/something/notebooks/{opened}.ipynb"],
        }
        assert page.find("a", href=repository)
        edited = f"{repository}/edit/main/{source}"
        assert page.find("a", string="Edit")["href"] == edited
        issue = page.find("a", string="Report a problem")["href"]
        assert issue == f"{repository}/issues/new/choose"
        assert page.select_one(".open-at-home pre").text.startswith(
            f"git clone {repository}\ncd something\nmake lab"
        )


# --------------------------------------------------------------------------------
# JupyterLab


@pytest.fixture(scope="module")
def lab_root(tmp_path_factory):
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="module")
def lab(tmp_path_factory, lab_root):
    """`make lab`, with copies of the notebooks, not trusted, as after `git clone`."""
    folder, root = tmp_path_factory.mktemp("lab"), lab_root
    (root / "notebooks").mkdir()
    (root / "data" / "timings").mkdir(parents=True)
    others = ["notebooks/teaching.md", "data/timings/README.md"]
    for path in [*NOTEBOOKS, *(ROOT / name for name in others)]:
        shutil.copy(path, root / path.relative_to(ROOT))
    trusted = root / "notebooks" / "trusted.ipynb"
    trusted.write_text(json.dumps(with_style(NOTEBOOKS[0])))
    settings = {
        "apputils-extension/notification": {
            "fetchNews": "false",
            "checkForUpdates": False,
        },
        # JupyterLab starts a kernel for each notebook; it need not stay.
        "notebook-extension/tracker": {"kernelShutdown": True},
    }
    for name, values in settings.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    environment = dict(os.environ)
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR"):
        environment[f"JUPYTER_{name}"] = str(folder / name[:-4].lower())
    for name in ("settings", "workspaces"):
        environment[f"JUPYTERLAB_{name.upper()}_DIR"] = str(folder / name)
    options = f"--no-browser --port={port} --ServerApp.port_retries=0"
    options += f" --IdentityProvider.token={token}"
    options += " --LabApp.expose_app_in_browser=True"
    command = ["make", "-C", root, "-f", ROOT / "Makefile", "lab"]
    command += ["IN_ENV=", f"ARGS={options}"]
    subprocess.run(
        [sys.executable, "-m", "nbformat.sign", trusted],
        env=environment,
        check=True,
        capture_output=True,
    )
    log = folder / "log.txt"
    address = f"http://127.0.0.1:{port}"
    with jupyterlab(command, log, env=environment) as server:
        wait_for(f"{address}/api/status?token={token}", server, log)
        yield f"{address}/lab?token={token}&reset"


def wait_for(address, server, log):
    deadline = time.monotonic() + PATIENCE / 1000
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(address):
            return
        time.sleep(0.1)
    raise AssertionError(f"JupyterLab does not answer:\n{log.read_text()}")


def with_style(notebook):
    """The notebook as it is after `%load_ext sidebyside` has sent its style."""
    content = nbformat.read(notebook, as_version=4)
    content.metadata.title = "Another"  # trust goes by the content
    [cell] = [x for x in content.cells if x.source.startswith("%load_ext sidebyside")]
    html = {"text/html": f"<style>{style.css()}</style>", "text/plain": ""}
    cell.outputs = [nbformat.v4.new_output("display_data", html, metadata=style.MARK)]
    return content


@pytest.fixture(scope="module")
def lab_window(browser, lab):
    """JupyterLab, loaded once: that takes seconds."""
    page = new_page(browser, viewport={"width": WIDE, "height": 900})
    watch = Watch(page)
    page.goto(lab)
    page.wait_for_function(
        "window.jupyterapp?.shell.layoutModified"
        " && document.querySelector('#jp-main-dock-panel')"
    )
    page.evaluate("jupyterapp.restored")
    yield page, watch
    page.close()


@pytest.fixture
def lab_page(lab_window, lab_root):
    """Opens a notebook in JupyterLab."""
    page, watch = lab_window
    page.set_viewport_size({"width": LAPTOP, "height": 900})
    page.evaluate("jupyterapp.shell.expandLeft()")

    def open_notebook(name):
        page.evaluate(
            "(path) => jupyterapp.commands.execute('docmanager:open', {path})",
            f"notebooks/{name}",
        )
        # It draws what is out of sight later.
        halves = sum(
            "pair" in cell.metadata.get("tags", [])
            for cell in cells_of(lab_root / "notebooks" / name)
        )
        page.wait_for_function(
            "(n) => document.querySelectorAll('.cell-tag-pair').length === n",
            arg=halves,
        )
        return page

    yield open_notebook
    # Without asking whether to save.
    page.evaluate(
        "() => { for (const widget of [...jupyterapp.shell.widgets('main')])"
        " widget.dispose(); }"
    )
    assert watch.complaints == []


@each_notebook
def test_lab_shows_a_saved_notebooks_pairs_side_by_side(lab_page, notebook):
    page = lab_page(notebook.name)
    check_pairs(page, notebook, LAPTOP)
    # A notebook that was not run here is not trusted: pictures, and no plotly.
    # The last ones are drawn later.
    expected = alternative_texts(notebook)
    page.wait_for_function(
        "(n) => document.querySelectorAll('.jp-RenderedImage img').length >= n",
        arg=len(expected),
    )
    texts = page.evaluate(
        "() => [...document.querySelectorAll('.jp-RenderedImage img')]"
        ".map((image) => image.alt)"
    )
    assert texts == expected
    if notebook == NOTEBOOKS[0]:
        check_pairs(page, notebook, WIDE)
        check_that_it_can_fail(page, LAB_STYLE, notebook)
    # The list of files leaves no room for the notebook.
    page.evaluate("jupyterapp.shell.collapseLeft()")
    check_pairs(page, notebook, NARROW)


def test_lab_hides_solutions_until_they_are_asked_for(lab_page):
    page = lab_page("01_mnist.ipynb")
    # What is out of sight is drawn later.
    page.wait_for_function(f"() => ({SOLUTIONS.strip()})().length === 3")
    assert unfold(page) == ([False] * 3, [True] * 3)


def test_lab_begins_with_the_first_notebook(lab):
    """Where no address is given; the links give one."""
    parts = urlsplit(lab)
    with urllib.request.urlopen(
        f"{parts.scheme}://{parts.netloc}/?{parts.query}"
    ) as reply:
        assert urlsplit(reply.url).path == "/lab/tree/notebooks/00_start_here.ipynb"


def test_lab_shows_texts_as_they_are_meant_to_be_read(lab_page):
    page = lab_page("06_statistics.ipynb")
    page.locator("a[href*='data/timings/README.md']").click()
    page.locator(".jp-MarkdownViewer h1", has_text="Timings").wait_for()
    page.evaluate(
        "(path) => { jupyterapp.commands.execute('docmanager:open', {path}); }",
        "notebooks/teaching.md",
    )
    page.locator(".jp-MarkdownViewer h1", has_text="Teaching").wait_for()
    wide = page.evaluate("""() =>
      [...document.querySelectorAll(".jp-MarkdownViewer pre")]
        .filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.textContent)""")
    assert wide == []


# The language of each cell's editor, and what is coloured in a cell.
LANGUAGES = """
() => [...document.querySelectorAll(".jp-CodeCell .cm-content")]
  .map((editor) => editor.dataset.language)
"""
COLOURED = """
(cell) => [...cell.querySelectorAll(".cm-line span")].map((e) => e.textContent)
"""


def test_r_cells_are_highlighted_as_r(lab_page, lab_root):
    page = lab_page("01_mnist.ipynb")
    code = [
        cell
        for cell in cells_of(ROOT / "notebooks" / "01_mnist.ipynb")
        if cell.cell_type == "code"
        and not cell.metadata.get("jupyter", {}).get("source_hidden")
    ]
    expected = ["r" if x.source.startswith("%%R") else "python" for x in code]
    page.wait_for_function(f"(n) => ({LANGUAGES})().length === n", arg=len(expected))
    # The kernel has answered, and has told JupyterLab that its language is Python.
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='idle']")
    assert page.evaluate(LANGUAGES) == expected

    cell = page.locator(".jp-CodeCell").first
    cell.scroll_into_view_if_needed()
    cell.locator(".cm-content").click()

    def typed(text):
        page.keyboard.press("Control+a")
        page.keyboard.type(text)
        return cell.evaluate(COLOURED)

    assert {"<-", "TRUE", "# R"} <= set(typed("%%R -w 4\nx <- TRUE # R"))
    assert {"import", "# R"} <= set(typed("import x # R"))
    assert "<-" not in typed("%%Rscript\nx <- TRUE")
    # Pasted, and of another type for a while.
    typed("%%R\nx <- NULL")
    page.keyboard.press("Escape")
    for key in ("c", "v", "m", "y", "Enter"):
        page.keyboard.press(key)
    assert page.evaluate(LANGUAGES)[:2] == ["r", "r"]


def test_a_cell_between_two_halves_stands_under_them(lab_page):
    page = lab_page("01_mnist.ipynb")
    half = page.locator(".cell-tag-pair.cell-tag-r").nth(1)
    half.scroll_into_view_if_needed()
    before = places(page)
    for kind, name in ("y", "Code"), ("m", "Markdown"), ("r", "Raw"):
        half.locator(".jp-InputPrompt").click()
        page.keyboard.press("b")
        page.keyboard.press(kind)
        between = f".cell-tag-pair.cell-tag-r + .jp-{name}Cell:not(.cell-tag-pair)"
        between = page.locator(f"{between} + .cell-tag-pair.cell-tag-python")
        between.wait_for()
        assert places(page) == before
        page.keyboard.press("d")
        page.keyboard.press("d")
        between.wait_for(state="detached")


def places(page):
    """Which halves stand beside each other, in the order of the cells."""
    seen = page.evaluate(LOOK)["halves"]
    lines = {}
    for half in seen:
        top = round(half["place"]["top"] - seen[0]["place"]["top"])
        lines.setdefault(top, []).append((half["language"], half["place"]["left"]))
    return list(lines.values())


# --------------------------------------------------------------------------------
# nbconvert


def test_nbconvert_keeps_columns_names_and_texts(browser, tmp_path):
    source = tmp_path / "01.ipynb"
    source.write_text(json.dumps(with_style(ROOT / "notebooks" / "01_mnist.ipynb")))
    for format in ("html", "script"):
        command = [sys.executable, "-m", "nbconvert", f"--to={format}", source]
        subprocess.run(command, check=True, capture_output=True)
    page = new_page(browser, viewport={"width": WIDE, "height": 900})
    page.goto((tmp_path / "01.html").as_uri())
    notebook = ROOT / "notebooks" / "01_mnist.ipynb"
    check_pairs(page, notebook, WIDE)
    texts = page.evaluate("() => [...document.images].map((image) => image.alt)")
    assert texts == alternative_texts(notebook)
    check_pairs(page, notebook, NARROW)
    page.close()
    compile((tmp_path / "01.py").read_text(), "01.py", "exec")


STYLE_OUTPUT = """
() => {
  const [output] = document.querySelectorAll(
    ".jp-OutputArea-child:has(> .jp-RenderedHTMLCommon)");
  return {height: output.getBoundingClientRect().height, text: output.innerText.trim(),
          hasStyle: output.querySelector("style") !== null};
}
"""


def test_the_output_with_the_style_takes_no_room_and_is_enough(lab_page):
    page = lab_page("trusted.ipynb")
    output = page.evaluate(STYLE_OUTPUT)
    assert output == {"height": 0, "text": "", "hasStyle": True}
    with without(page, LAB_STYLE):
        assert problems(page, NOTEBOOKS[0], WIDE, LIGHT) == []


def test_halves_are_edited_selected_and_moved_like_any_cell(lab_page):
    notebook = ROOT / "notebooks" / "01_mnist.ipynb"
    page = lab_page(notebook.name)
    half = page.locator(".cell-tag-pair.cell-tag-r").nth(1)
    half.scroll_into_view_if_needed()
    half.locator(".cm-content").click()
    page.keyboard.press("Control+End")
    page.keyboard.type("\n# typed")
    assert half.locator(".cm-line").last.inner_text() == "# typed"
    page.keyboard.press("Control+z")
    page.keyboard.press("Escape")

    def active():
        return page.evaluate("""() => {
          const cells = [...document.querySelectorAll(".jp-Notebook-cell")];
          const at = cells.findIndex((x) => x.classList.contains("jp-mod-active"));
          return [at, cells[at].matches(".cell-tag-python") ? "Python" : "R"];
        }""")

    at, language = active()
    assert language == "R"
    page.keyboard.press("j")
    assert active() == [at + 1, "Python"]
    page.keyboard.press("Control+Shift+ArrowUp")  # the Python half above its R half
    assert active() == [at, "Python"]
    assert problems(page, notebook, WIDE, LIGHT)  # one sees that R is not first
    page.keyboard.press("Control+Shift+ArrowDown")
    assert active() == [at + 1, "Python"]
    assert problems(page, notebook, WIDE, LIGHT) == []


SAVE_SETTINGS = """
([mode]) => jupyterapp.serviceManager.settings.save(
  "@jupyterlab/notebook-extension:tracker",
  JSON.stringify({kernelShutdown: true, windowingMode: mode}))
"""


def test_where_lab_places_each_cell_itself_there_is_one_column(
    browser, lab, lab_window
):
    page, _ = lab_window
    page.evaluate(SAVE_SETTINGS, ["full"])
    page = new_page(browser, viewport={"width": WIDE, "height": 900})
    page.goto(lab.replace("/lab?", f"/lab/tree/notebooks/{NOTEBOOKS[0].name}?"))
    page.wait_for_function("document.querySelectorAll('.cell-tag-pair').length >= 2")
    page.wait_for_function(
        "document.querySelector('.jp-WindowedPanel-viewport').style.transform !== ''"
    )
    display = page.evaluate(
        "getComputedStyle(document.querySelector('.jp-WindowedPanel-viewport')).display"
    )
    assert display == "block"
    assert page.evaluate(OVERLAPS) == []
    page.close()


def test_the_style_has_the_companions_colours():
    written = set(re.findall(r"#[0-9A-F]{6}", style.css()))
    assert written == {*LIGHT.values(), *DARK.values()}
