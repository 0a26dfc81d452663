"""Take the README's picture of a pair from the book (`make picture`)."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "build" / "book" / "notebooks" / "01_mnist.html"
PICTURE = ROOT / "book" / "static" / "pair.png"

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

# The sandbox works neither as root nor in most containers, and we open only our own
# pages. The other options keep the browser from calling its maker's servers.
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# Milliseconds. Playwright itself waits for 30 seconds.
PATIENCE = 180_000

# Finds the first pair whose halves both have a figure: its place in pixels of the page,
# with a small margin.
FIND_PAIR = """
() => {
  for (const r of document.querySelectorAll("main .tag_pair.tag_r")) {
    const python = r.nextElementSibling;
    if (!python?.matches(".tag_python")) continue;
    if (!r.querySelector("img") || !python.querySelector("img")) continue;
    const [a, b] = [r, python].map((half) => half.getBoundingClientRect());
    const height = Math.max(a.bottom, b.bottom) - a.top;
    const [x, y] = [a.left - 12, a.top + scrollY - 12];
    return {x, y, width: b.right - a.left + 24, height: height + 24};
  }
}
"""


def find_browser() -> str | None:
    """Find the Chromium that set-up has installed, or another browser of its kind."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextlib.contextmanager
def open_browser() -> Iterator[Browser]:
    """Open a browser without a window."""
    program = find_browser()
    if program is None:
        raise SystemExit(
            f"No browser was found; expected one of {', '.join(BROWSERS)}. "
            "`make test` installs chromium on Debian."
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=list(OPTIONS)
        )
        try:
            yield browser
        finally:
            browser.close()


def new_page(browser: Browser, **options: Any) -> Page:
    """Open a page that also waits long enough on a busy machine."""
    page = browser.new_page(**options)
    page.set_default_timeout(PATIENCE)
    return page


def main() -> None:
    if not PAGE.is_file():
        raise SystemExit(f"{PAGE} does not exist. Run `make picture`, which makes it.")
    with open_browser() as browser:
        # Twice as many pixels, for today's screens.
        page = new_page(
            browser,
            viewport={"width": 1400, "height": 900},
            device_scale_factor=2,
            color_scheme="light",
        )
        page.goto(PAGE.as_uri())
        page.evaluate("document.fonts.ready")
        page.screenshot(path=PICTURE, full_page=True, clip=page.evaluate(FIND_PAIR))
    # Text and line drawings have few colours.
    with Image.open(PICTURE) as image:
        few = image.convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE)
        few.save(PICTURE, optimize=True)
    print(f"{PICTURE}: {PICTURE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
