"""Take the README's picture of a pair from the book (`make picture`)."""

from __future__ import annotations

import argparse
import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "build" / "book"
PICTURE = ROOT / "book" / "static" / "pair.png"

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

# No sandbox: it works neither as root nor in most containers, and only our own pages
# are opened. The rest keeps the browser from calling its maker.
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# The halves of the first pair of which both have a figure, in pixels of the page.
FIND_PAIR = """
() => {
  for (const r of document.querySelectorAll("main .tag_pair.tag_r")) {
    const python = r.nextElementSibling;
    if (!python?.matches(".tag_python")) continue;
    if (!r.querySelector("img") || !python.querySelector("img")) continue;
    const [a, b] = [r, python].map((half) => half.getBoundingClientRect());
    const height = Math.max(a.bottom, b.bottom) - a.top;
    return {x: a.left, y: a.top + scrollY, width: b.right - a.left, height};
  }
}
"""


def find_browser() -> str | None:
    """The Chromium that set-up has installed, or another one that is there."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextlib.contextmanager
def open_browser() -> Iterator[Browser]:
    """A browser without a window."""
    program = find_browser()
    if program is None:
        raise SystemExit(
            f"None of {', '.join(BROWSERS)} is installed; "
            "`make setup` installs chromium on Debian."
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=list(OPTIONS)
        )
        try:
            yield browser
        finally:
            browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--page", default="notebooks/01_mnist.html", help="page of the book"
    )
    parser.add_argument("--output", type=Path, default=PICTURE)
    parser.add_argument(
        "--margin", type=int, default=12, help="around the pair, in pixels"
    )
    chosen = parser.parse_args()

    if not (BOOK / chosen.page).is_file():
        raise SystemExit(
            f"{BOOK / chosen.page} does not exist; `make book` makes it, "
            "`make picture` does both."
        )
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    with open_browser() as browser:
        # Twice the pixels, for today's screens.
        page = browser.new_page(
            viewport={"width": 1400, "height": 900},
            device_scale_factor=2,
            color_scheme="light",
        )
        page.goto((BOOK / chosen.page).as_uri())
        page.evaluate("document.fonts.ready")
        pair = page.evaluate(FIND_PAIR)
        if pair is None:
            raise SystemExit(f"{chosen.page} has no pair with a figure in both halves")
        m = chosen.margin
        clip = {
            "x": pair["x"] - m,
            "y": pair["y"] - m,
            "width": pair["width"] + 2 * m,
            "height": pair["height"] + 2 * m,
        }
        page.screenshot(path=chosen.output, full_page=True, clip=clip)
    # Text and line drawings have few colours.
    with Image.open(chosen.output) as image:
        image.convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE).save(
            chosen.output, optimize=True
        )
    print(f"{chosen.output}: {chosen.output.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
