"""Pairs on the screen: the book and JupyterLab, looked at in a real browser.

Nothing is executed: the pages show what is saved in the notebooks. The screenshots stay in
build/screenshots.
"""

import contextlib
import functools
import http.server
import itertools
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
from urllib.parse import unquote, urlsplit

import pytest
import sidebyside
from bs4 import BeautifulSoup
from sidebyside import style

ROOT = Path(__file__).resolve().parent.parent
SCREENSHOTS = ROOT / "build" / "screenshots"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
WIDE, NARROW = 1400, 600

sys.path.insert(0, str(ROOT / "tools"))
from screenshot import BROWSERS, find_browser, open_browser  # noqa: E402

pytestmark = pytest.mark.skipif(
    find_browser() is None and "CI" not in os.environ,
    reason=f"none of {', '.join(BROWSERS)} is installed (on Debian `make setup` installs chromium)")

each_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


# ---------------------------------------------------------------------------------------------
# What is asked of a page, the same for the book and for JupyterLab

# Everything that has to be in its place: the cells, and in the halves of pairs what they hold.
LOOK = """
async () => {
  const R = ".cell-tag-pair.cell-tag-r, .tag_pair.tag_r";
  const Python = ".cell-tag-pair.cell-tag-python, .tag_pair.tag_python";
  const inside = `img, .jp-RenderedSVG svg, .cell_output svg, .cell_input, .cell_output,
                  .jp-InputArea, .jp-OutputArea, .jp-InputArea-editor`;
  const place = (e) => {
    const {left, top, right, bottom} = e.getBoundingClientRect();
    return {left, top, right, bottom};
  };
  const lab = document.querySelector(".jp-WindowedPanel-outer");
  if (lab) {
    // JupyterLab has the browser leave out what is out of sight; it gets its true size when it is in sight.
    for (const cell of lab.querySelectorAll(".jp-Notebook-cell")) cell.style.contentVisibility = "visible";
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
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
      inside: [...half.querySelectorAll(inside)].map((e) => ({what: e.className || e.tagName, ...place(e)})),
      label: before.content,
      colour: before.borderTopColor,
    });
  }
  const scrolled = lab ?? document.documentElement;
  return {halves, width: scrolled.clientWidth, contentWidth: scrolled.scrollWidth};
}
"""

# Scrolls to a pair with figures, or to any.
SHOW_A_PAIR = """
() => {
  const halves = [...document.querySelectorAll(".cell-tag-pair, .tag_pair")];
  const shown = halves.find((half) => half.querySelector("img")) ?? halves[0];
  shown.scrollIntoView({block: "center", behavior: "instant"});
}
"""

# Cells that lie on another cell, however little.
OVERLAPS = """
() => {
  const cells = [...document.querySelectorAll(".jp-Notebook-cell, main .cell")].map((e) => e.getBoundingClientRect());
  const found = [];
  for (const [i, a] of cells.entries()) for (const b of cells.slice(i + 1)) {
    const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (width > 1 && height > 1) found.push([i, width, height]);
  }
  return found;
}
"""


def rgb(colour):
    return "rgb({}, {}, {})".format(*(int(colour[i:i + 2], 16) for i in (1, 3, 5)))


def problems(seen, notebook, width, colours):
    """Everything that is not as it should be with the pairs of a page, as sentences."""
    found = []
    tags = [set(cell.metadata.get("tags", [])) for cell in cells_of(notebook)]
    expected = ["R" if "r" in t else "Python" for t in tags if "pair" in t]
    if [half["language"] for half in seen["halves"]] != expected:
        found.append(f"{len(seen['halves'])} halves are shown, {len(expected)} are in the notebook")
    if seen["contentWidth"] > seen["width"]:
        found.append(f"the page is {seen['contentWidth']} wide in a window of {seen['width']}")
    for number, half in enumerate(seen["halves"], 1):
        name, place = f"half {number} ({half['language']})", half["place"]
        if half["label"] != f'"{half["language"]}"':
            found.append(f"{name} is labelled {half['label']}")
        if half["colour"] != rgb(colours[half["language"]]):
            found.append(f"{name} has a rule in {half['colour']}")
        for part in half["inside"]:
            if part["left"] < place["left"] - 1 or part["right"] > place["right"] + 1:
                found.append(f"{name}: {part['what']} sticks out")
        used = (half["input"]["right"] - half["input"]["left"]) / (place["right"] - place["left"])
        if used < 0.9:
            found.append(f"{name}: the code has {used:.0%} of the width")
        if half["language"] == "R" and half["next"] and half["next"]["isPython"]:
            other = half["next"]["place"]
            if width >= 900:
                if abs(place["top"] - other["top"]) > 1 or place["right"] > other["left"]:
                    found.append(f"{name} is not beside its other half")
                if abs((place["right"] - place["left"]) - (other["right"] - other["left"])) > 1:
                    found.append(f"{name} is not as wide as its other half")
            elif other["top"] < place["bottom"] - 1 or abs(place["left"] - other["left"]) > 1:
                found.append(f"{name} is not above its other half")
    return found


def cells_of(notebook):
    import nbformat

    return nbformat.read(notebook, as_version=4).cells


def alternative_texts(notebook):
    """What alt_text() has stored with the figures."""
    return [metadata["alt"]
            for cell in cells_of(notebook) for output in cell.get("outputs", [])
            for mime, metadata in output.get("metadata", {}).items()
            if mime.startswith("image/") and "alt" in metadata]


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
        found = problems(page.evaluate(LOOK), notebook, WIDE, LIGHT)
    assert any("beside" in problem for problem in found)
    assert any("labelled" in problem for problem in found)


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
        self.complaints = []
        self.urls = []
        page.on("console", lambda m: m.type in ("error", "warning") and self.complaints.append(m.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfailed", lambda request: self.complaints.append(f"{request.url} {request.failure}"))
        page.on("request", lambda request: self.urls.append(request.url))


# ---------------------------------------------------------------------------------------------
# The book


def build_book(folder, *options):
    """Build as `make book` does, but with each warning an error; return the seconds it took."""
    start = time.monotonic()
    result = subprocess.run(
        [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--conf-dir", "book",
         "--doctree-dir", str(folder / "cache"), *options, ".", str(folder / "book")],
        cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return time.monotonic() - start


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    folder = tmp_path_factory.mktemp("book")
    seconds = build_book(folder)
    assert seconds < 60
    return folder / "book"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def site(book):
    """The address of the book on a web server; from the disk the search could not show where it found a word."""
    handler = functools.partial(Quiet, directory=str(book))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def book_page(browser, site):
    """Opens a page of the book; at the end it must not have complained or called anybody."""
    with contextlib.ExitStack() as stack:
        watches = []

        def open_page(name, width=WIDE, scheme="light"):
            page = browser.new_page(viewport={"width": width, "height": 1000}, color_scheme=scheme)
            stack.callback(page.close)
            watches.append(Watch(page))
            page.goto(site + name)
            return page

        yield open_page
    for watch in watches:
        assert watch.complaints == []
        assert [url for url in watch.urls if not url.startswith((site, "data:"))] == []


def shot(page, name, **options):
    page.screenshot(path=SCREENSHOTS / f"{name}.png", **options)


OUTPUT_HEIGHTS = """
() => [...document.querySelectorAll(".tag_pair.tag_r")].flatMap((r) => {
  const [a, b] = [r, r.nextElementSibling].map((half) => half.querySelector(":scope > .cell_output"));
  return a && b ? [a.getBoundingClientRect().top - b.getBoundingClientRect().top] : [];
})
"""


@each_notebook
def test_book_has_pairs_side_by_side(book_page, notebook):
    page = book_page(f"notebooks/{notebook.stem}.html")
    assert problems(page.evaluate(LOOK), notebook, WIDE, LIGHT) == []
    assert page.evaluate(OVERLAPS) == []
    assert [gap for gap in page.evaluate(OUTPUT_HEIGHTS) if abs(gap) > 1] == []
    texts = page.evaluate("() => [...document.querySelectorAll('.cell_output img')].map((image) => image.alt)")
    assert texts == alternative_texts(notebook)
    shot(page, f"book-{notebook.stem}-{WIDE}", full_page=True)
    check_that_it_can_fail(page, BOOK_STYLE, notebook)

    page.emulate_media(color_scheme="dark")
    page.wait_for_selector("html[data-theme=dark]")
    assert problems(page.evaluate(LOOK), notebook, WIDE, DARK) == []
    page.evaluate(SHOW_A_PAIR)
    shot(page, f"book-{notebook.stem}-dark")

    page.emulate_media(color_scheme="light")
    page.wait_for_selector("html[data-theme=light]")
    page.set_viewport_size({"width": NARROW, "height": 1000})
    assert problems(page.evaluate(LOOK), notebook, NARROW, LIGHT) == []
    assert page.evaluate(OVERLAPS) == []
    page.evaluate(SHOW_A_PAIR)
    shot(page, f"book-{notebook.stem}-{NARROW}")


@pytest.mark.parametrize("name", ["index", *(f"notebooks/{path.stem}" for path in NOTEBOOKS)])
def test_a_page_weighs_less_than_one_and_a_half_megabytes(browser, book, site, name):
    page = browser.new_page()
    watch = Watch(page)
    page.goto(f"{site}{name}.html")
    page.wait_for_load_state("networkidle")
    page.close()
    files = {unquote(urlsplit(url).path).lstrip("/") for url in watch.urls if url.startswith(site)}
    sizes = {file: (book / file).stat().st_size for file in files}
    assert sum(sizes.values()) < 1.5e6, sizes


def test_no_link_in_the_book_is_dead(book):
    pages = {path: BeautifulSoup(path.read_text("utf-8"), "html.parser")
             for path in book.rglob("*.html") if "_static" not in path.parts}
    dead = []
    for path, page in pages.items():
        places = [(tag, tag[key]) for key in ("href", "src") for tag in page.find_all(attrs={key: True})]
        for tag, address in places:
            parts = urlsplit(address)
            if parts.scheme or not (parts.path or parts.fragment):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                dead.append(f"{path.name}: {tag.name} {address}")
            elif parts.fragment and target in pages and not pages[target].find(id=unquote(parts.fragment)):
                dead.append(f"{path.name}: {address}, which has no such place")
    assert dead == []


def test_one_can_leaf_through_the_book(book):
    order = ["README.html", *(f"notebooks/{path.stem}.html" for path in NOTEBOOKS)]
    for here, there in itertools.pairwise(order):
        page = BeautifulSoup((book / here).read_text("utf-8"), "html.parser")
        following = (book / here).parent / page.find("a", class_="right-next")["href"]
        assert following.resolve() == book / there
        page = BeautifulSoup((book / there).read_text("utf-8"), "html.parser")
        previous = (book / there).parent / page.find("a", class_="left-prev")["href"]
        assert previous.resolve() == book / here


def test_the_front_page_is_the_readme(book_page):
    page = book_page("index.html")
    title = (ROOT / "README.md").read_text().splitlines()[0].removeprefix("# ")
    assert title in page.locator("h1").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDE
    shot(page, "book-front")


def test_the_book_can_be_searched(book_page):
    page = book_page("search.html?q=dropout")
    page.wait_for_selector("#search-results li a")
    assert "01_mnist" in page.locator("#search-results li a").first.get_attribute("href")


@each_notebook
def test_every_notebook_can_be_downloaded(book, notebook):
    page = BeautifulSoup((book / "notebooks" / f"{notebook.stem}.html").read_text("utf-8"), "html.parser")
    link = page.find("a", download=notebook.name)
    assert (book / "notebooks" / link["href"]).read_bytes() == notebook.read_bytes()
    assert "mybinder" not in str(page)  # nobody has said where the repository is


def test_with_the_repositorys_address_there_are_links_to_binder(tmp_path):
    build_book(tmp_path, "-D", "repository_url=https://github.com/someone/something")
    page = BeautifulSoup((tmp_path / "book" / "notebooks" / "01_mnist.html").read_text("utf-8"), "html.parser")
    link = page.find("a", string="Open in Binder")
    assert link["href"] == ("https://mybinder.org/v2/gh/someone/something/HEAD?labpath=notebooks/01_mnist.ipynb")
    assert page.find("a", href="https://github.com/someone/something")


# ---------------------------------------------------------------------------------------------
# JupyterLab


@pytest.fixture(scope="module")
def lab_root(tmp_path_factory):
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="module")
def lab(tmp_path_factory, lab_root):
    """A server with copies of the notebooks, which JupyterLab does not trust, as after `git clone`."""
    folder, root = tmp_path_factory.mktemp("lab"), lab_root
    for notebook in NOTEBOOKS:
        shutil.copy(notebook, root)
    for name in ("styled.ipynb", "trusted.ipynb"):
        (root / name).write_text(json.dumps(with_style(NOTEBOOKS[0], name)))
    settings = {
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
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
    environment = dict(
        os.environ, JUPYTER_CONFIG_DIR=str(folder / "config"), JUPYTER_DATA_DIR=str(folder / "data"),
        JUPYTER_RUNTIME_DIR=str(folder / "runtime"), JUPYTERLAB_SETTINGS_DIR=str(folder / "settings"),
        JUPYTERLAB_WORKSPACES_DIR=str(folder / "workspaces"))
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
               "--ServerApp.port_retries=0", f"--ServerApp.root_dir={root}", f"--IdentityProvider.token={token}",
               "--LabApp.expose_app_in_browser=True"]
    subprocess.run([sys.executable, "-m", "nbformat.sign", root / "trusted.ipynb"], env=environment, check=True,
                   capture_output=True)
    log = folder / "log.txt"
    with log.open("w") as output:
        server = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/api/status?token={token}", server, log)
        yield f"{address}/lab?token={token}&reset"
    finally:
        server.terminate()
        server.wait(timeout=20)


def wait_for(address, server, log):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(address):
            return
        time.sleep(0.1)
    raise AssertionError(f"JupyterLab does not answer:\n{log.read_text()}")


def with_style(notebook, title):
    """The notebook as it is after `%load_ext sidebyside` has sent its style."""
    content = json.loads(notebook.read_text())
    content["metadata"]["title"] = title  # trust goes by the content, so the copies must differ
    cell = next(cell for cell in content["cells"] if "".join(cell["source"]).startswith("%load_ext sidebyside"))
    cell["outputs"] = [{"output_type": "display_data", "metadata": style.MARK,
                        "data": {"text/html": f"<style>{style.css()}</style>", "text/plain": ""}}]
    return content


@pytest.fixture(scope="module")
def lab_window(browser, lab):
    """JupyterLab, loaded once: that takes seconds."""
    page = browser.new_page(viewport={"width": WIDE, "height": 900})
    watch = Watch(page)
    page.goto(lab)
    page.wait_for_function("window.jupyterapp?.shell.layoutModified && document.querySelector('#jp-main-dock-panel')")
    page.evaluate("jupyterapp.restored")
    yield page, watch
    page.close()


@pytest.fixture
def lab_page(lab_window, lab_root):
    """Opens a notebook in JupyterLab."""
    page, watch = lab_window
    page.set_viewport_size({"width": WIDE, "height": 900})

    def open_notebook(name):
        page.evaluate("(path) => jupyterapp.commands.execute('docmanager:open', {path})", name)
        # It draws what is out of sight later.
        halves = sum("pair" in cell.metadata.get("tags", []) for cell in cells_of(lab_root / name))
        page.wait_for_function("(n) => document.querySelectorAll('.cell-tag-pair').length === n", arg=halves)
        return page

    yield open_notebook
    # Without asking whether to save.
    page.evaluate("() => { for (const widget of [...jupyterapp.shell.widgets('main')]) widget.dispose(); }")
    assert watch.complaints == []


@each_notebook
def test_lab_shows_a_saved_notebooks_pairs_side_by_side(lab_page, notebook):
    page = lab_page(notebook.name)
    assert page.evaluate(OVERLAPS) == []
    assert problems(page.evaluate(LOOK), notebook, WIDE, LIGHT) == []
    assert page.evaluate(OVERLAPS) == []
    texts = page.evaluate("() => [...document.querySelectorAll('.jp-RenderedImage img')].map((image) => image.alt)")
    assert texts == alternative_texts(notebook)
    page.evaluate(SHOW_A_PAIR)
    shot(page, f"lab-{notebook.stem}-{WIDE}")
    check_that_it_can_fail(page, LAB_STYLE, notebook)

    page.set_viewport_size({"width": NARROW, "height": 900})
    page.evaluate("jupyterapp.shell.collapseLeft()")  # the list of files leaves no room for the notebook
    assert problems(page.evaluate(LOOK), notebook, NARROW, LIGHT) == []
    assert page.evaluate(OVERLAPS) == []
    page.evaluate(SHOW_A_PAIR)
    shot(page, f"lab-{notebook.stem}-{NARROW}")


STYLE_OUTPUT = """
() => {
  const [output] = document.querySelectorAll(".jp-OutputArea-child:has(> .jp-RenderedHTMLCommon)");
  return {height: output.getBoundingClientRect().height, text: output.innerText.trim(),
          hasStyle: output.querySelector("style") !== null};
}
"""


@pytest.mark.parametrize("name", ["styled.ipynb", "trusted.ipynb"])
def test_the_output_with_the_style_takes_no_room(lab_page, name):
    page = lab_page(name)
    output = page.evaluate(STYLE_OUTPUT)
    assert output == {"height": 0, "text": "", "hasStyle": name == "trusted.ipynb"}
    if name == "trusted.ipynb":
        with without(page, LAB_STYLE):  # the output alone is enough
            assert problems(page.evaluate(LOOK), NOTEBOOKS[0], WIDE, LIGHT) == []


def test_halves_are_edited_selected_and_moved_like_any_cell(lab_page):
    page = lab_page("01_mnist.ipynb")
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
          const at = cells.findIndex((cell) => cell.classList.contains("jp-mod-active"));
          return [at, cells[at].matches(".cell-tag-r") ? "R" : cells[at].matches(".cell-tag-python") ? "Python" : ""];
        }""")

    at, language = active()
    assert language == "R"
    page.keyboard.press("j")
    assert active() == [at + 1, "Python"]
    page.keyboard.press("Control+Shift+ArrowUp")  # the Python half above its R half
    assert active() == [at, "Python"]
    found = problems(page.evaluate(LOOK), ROOT / "notebooks" / "01_mnist.ipynb", WIDE, LIGHT)
    assert page.evaluate(OVERLAPS) == []
    assert found  # the order is R first, and one sees that it is not
    page.keyboard.press("Control+Shift+ArrowDown")
    assert active() == [at + 1, "Python"]
    assert problems(page.evaluate(LOOK), ROOT / "notebooks" / "01_mnist.ipynb", WIDE, LIGHT) == []


SAVE_SETTINGS = """
([mode]) => jupyterapp.serviceManager.settings.save(
  "@jupyterlab/notebook-extension:tracker", JSON.stringify({kernelShutdown: true, windowingMode: mode}))
"""


def test_where_lab_places_each_cell_itself_there_is_one_column(browser, lab, lab_window):
    page, _ = lab_window
    page.evaluate(SAVE_SETTINGS, ["full"])
    page = browser.new_page(viewport={"width": WIDE, "height": 900})
    page.goto(lab.replace("/lab?", f"/lab/tree/{NOTEBOOKS[0].name}?"))
    page.wait_for_function("document.querySelectorAll('.cell-tag-pair').length >= 2")
    page.wait_for_function("document.querySelector('.jp-WindowedPanel-viewport').style.transform !== ''")
    assert page.evaluate("getComputedStyle(document.querySelector('.jp-WindowedPanel-viewport')).display") == "block"
    assert page.evaluate(OVERLAPS) == []
    shot(page, "lab-windowing-full")
    page.close()


def test_the_style_has_the_companions_colours():
    written = set(re.findall(r"#[0-9A-F]{6}", style.css()))
    assert written == {*LIGHT.values(), *DARK.values()}
