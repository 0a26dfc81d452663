"""Build the image and use it as a reader would (`make test-image`; root, Debian).

    make test-image                     build it, run all notebooks, start 50 kernels
    make test-image ARGS="01 02"        only these notebooks
    make test-image ARGS="--kernels 5"  fewer kernels
    make test-image ARGS="--image localhost/sidebyside"   without building it again

debootstrap makes the system on which binder/Dockerfile begins, and buildah builds the
image. Both are packages of Debian and need no Docker. All is kept in build/image.

The image is tested as on Binder: with the network off, as its own user, in 2 GB of
memory for the server and all kernels together. Each notebook gets a new server. A
browser outside opens the notebook, runs all cells, and saves. The saved notebook then
says which cells failed and which checks passed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import image
import nbformat
import psutil
from offline import BINDER, Watch, network, own_network
from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as BrowserError
from run import LINE, NOTEBOOKS, Outcome, is_check
from screenshot import open_browser
from sidebyside.common.errors import Sentence

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "image"
SCREENSHOTS = ROOT / "build" / "screenshots"
IMAGE, BASE = f"localhost/{image.NAME}", f"localhost/{image.NAME}-base"
STORAGE = (f"--root={WORK / 'storage'}", f"--runroot={WORK / 'run'}")
BUILDAH = ("buildah", *STORAGE, "--storage-driver=vfs")
LOG = WORK / "log.txt"
FIRST = "00_start_here.ipynb"
NOT_RUN = "it was not run"
TOO_MUCH = f"used more than {BINDER / 1e9:.0f} GB of memory and was ended"

# What lets this machine reach its package servers, for the build.
SETTINGS = ("usr/local/share/ca-certificates", "etc/pip.conf")

SECONDS = 1800  # for one notebook

TAB = "#jp-main-dock-panel .lm-TabBar-tab.lm-mod-current"

# Each kernel loads everything and leaves as Jupyter asks it to.
KERNELS = """
import sys
from jupyter_client.manager import start_new_kernel
cells = "%load_ext sidebyside", "%%R\\nsum(1:10)", "import keras; keras.ops.sum([1])"
options = {"timeout": 120, "output_hook": lambda message: None}
bad = 0
for number in range(1, int(sys.argv[1]) + 1):
    manager, client = start_new_kernel(kernel_name="python3")
    process = manager.provisioner.process
    for cell in cells:
        reply = client.execute_interactive(cell, **options)
        bad += reply["content"]["status"] != "ok"
    client.shutdown()
    code = process.wait(60)
    bad += code != 0
    print(f"kernel {number}: exit code {code}", flush=True)
    client.stop_channels()
sys.exit(bad > 0)
"""


def show(*command: object, **options: object) -> str:
    """Run a command; if it fails, stop with one sentence."""
    done = subprocess.run([str(part) for part in command], text=True, **options)
    if done.returncode:
        short = " ".join(map(str, command))[:200]
        raise Sentence(
            f"`{short}` failed with exit status {done.returncode}; see the lines above."
        )
    return (done.stdout or "").strip()


def output_of(*command: object) -> str:
    return show(*command, stdout=subprocess.PIPE)


# --- The image


def install_tools() -> None:
    """Install debootstrap and buildah from Debian's packages, if they are missing."""
    missing = [p for p in ("debootstrap", "buildah") if not shutil.which(p)]
    if missing:
        print(f"Installing {' and '.join(missing)} with apt-get.", flush=True)
        show("apt-get", "install", "-y", "--no-install-recommends", *missing)


def base_tree() -> Path:
    """Return a minimal Debian 13 that can reach what this machine can reach."""
    tree = WORK / "base"
    if not tree.exists():
        print("Making a minimal Debian 13 (about a minute).", flush=True)
        unfinished = WORK / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        show("debootstrap", "--variant=minbase", "trixie", unfinished)
        unfinished.rename(tree)
    for name in SETTINGS:
        source, target = Path("/", name), tree / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.is_file():
            shutil.copy(source, target)
    wanted = re.findall(
        r"(?m)^Acquire::(?:Check|https?).*$", output_of("apt-config", "dump")
    )
    (tree / "etc/apt/apt.conf.d/90machine").write_text("\n".join([*wanted, ""]))
    return tree


def build() -> None:
    """Build the image of binder/Dockerfile on the minimal Debian."""
    with container_of("scratch") as container:
        show(*BUILDAH, "copy", "--quiet", container, base_tree(), "/")
        show(*BUILDAH, "commit", "--quiet", container, BASE)
    print("Building the image (some minutes).", flush=True)
    # Layers would be copies of everything, of 3 GB each.
    options = ["--layers=false", "--force-rm", f"--build-arg=BASE={BASE}"]
    options += [*STORAGE, "--storage-driver=vfs"]
    show(*image.build_command("buildah", options), cwd=ROOT)


@contextlib.contextmanager
def container_of(name: str) -> Iterator[str]:
    """Make a container of an image and remove it in the end."""
    container = output_of(*BUILDAH, "from", "--pull-never", name)
    try:
        yield container
    finally:
        output_of(*BUILDAH, "rm", container)


# --- The server


class Container(Watch):
    """Watches the image's own processes, without those of buildah, which are root's."""

    def __init__(self, child: subprocess.Popen) -> None:
        self.child = child
        super().__init__(child.pid, BINDER)

    def family(self) -> list[psutil.Process]:
        found = []
        for process in super().family():
            with contextlib.suppress(psutil.Error):
                if process.uids().real:
                    found.append(process)
        return found


CGROUP = Path("/sys/fs/cgroup/sidebyside-test-image")


@contextlib.contextmanager
def kernel_limit() -> Iterator[list[str]]:
    """Give a prefix that lets Linux itself limit the memory; [] where it cannot."""
    limit = CGROUP / "memory.max"
    with contextlib.suppress(OSError):
        CGROUP.mkdir()
    try:
        if not limit.exists():
            yield []
        else:
            limit.write_text(str(BINDER))
            enter = f'echo $$ > {CGROUP}/cgroup.procs && exec "$@"'
            yield ["sh", "-c", enter, "sh"]
    finally:
        with contextlib.suppress(OSError):
            CGROUP.rmdir()


@contextlib.contextmanager
def running(container: str, command: Sequence[str]) -> Iterator[Container]:
    """Run a command in a container, and end it in any case."""
    with kernel_limit() as prefix, LOG.open("w") as log:
        inside = [*BUILDAH, "run", "--isolation=chroot", container, "--", *command]
        child = subprocess.Popen(
            [*prefix, *inside], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        watch = Container(child)
        try:
            yield watch
        finally:
            watch.close()
            watch.end()
            try:  # Without its command, buildah ends and cleans up.
                child.wait(10)
            except subprocess.TimeoutExpired:
                for process in Watch.family(watch):
                    process.kill()
                child.wait()


def command_of(container: str) -> list[str]:
    """Return the image's command. (`buildah run` takes over its other settings.)"""
    facts = json.loads(output_of(*BUILDAH, "inspect", container))
    return facts["OCIv1"]["config"]["Cmd"]


def address_of(server: subprocess.Popen, log: Path) -> str:
    """Wait for JupyterLab and return the address that it prints."""
    for _ in range(600):
        found = re.search(r"http://127\.0\.0\.1:\S+", log.read_text())
        if found:
            return found[0]
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise Sentence(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


# --- A reader in a browser


def choose(page: Page, menu: str, item: str) -> None:
    """Choose an item of one of JupyterLab's menus."""
    page.locator(".lm-MenuBar-itemLabel", has_text=menu).first.click()
    label = page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{item}$"))
    label.first.click()


def ask(address: str, path: str) -> object:
    """Ask the server, with the token that is in its address."""
    parts = urlsplit(address)
    url = f"{parts.scheme}://{parts.netloc}/api/{path}?{parts.query}"
    with urllib.request.urlopen(url, timeout=60) as reply:
        return json.load(reply)


def is_idle(address: str) -> bool:
    """Return whether there is a kernel and it has nothing to do."""
    return {x["execution_state"] for x in ask(address, "kernels")} == {"idle"}


def judge(notebook: nbformat.NotebookNode) -> tuple[int, int, str]:
    """Count checks and passed checks, and say what is wrong ("" if nothing is)."""
    checks, passed, problems = 0, 0, []
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        errors = [o for o in cell.outputs if o.output_type == "error"]
        may_fail = "raises-exception" in cell.metadata.get("tags", [])
        if errors and not may_fail:
            problem = f"{errors[0].ename}: {errors[0].evalue}"
        else:
            problem = "" if cell.execution_count else NOT_RUN
        checks += is_check(cell)
        passed += is_check(cell) and not problem
        if problem:
            problems.append(f"cell {number}: {problem}")
    return checks, passed, problems[0] if problems else ""


def run_in_browser(page: Page, address: str, name: str) -> tuple[int, int, str]:
    """Open a notebook, run all its cells, save it, and judge what was saved."""
    url = urlsplit(address)
    if name == FIRST:  # The image opens this one by itself.
        page.goto(address)
    else:
        path = f"/lab/tree/notebooks/{name}"
        page.goto(url._replace(path=path, query=f"{url.query}&reset").geturl())
    page.locator(TAB, has_text=name).wait_for()
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    end = time.monotonic() + SECONDS
    while not is_idle(address):
        time.sleep(0.2)
    choose(page, "Edit", "Clear Outputs of All Cells")
    choose(page, "Run", "Run All Cells")
    while time.monotonic() < end:
        time.sleep(2)
        dialog = page.locator(".jp-Dialog-content")
        if dialog.count():
            return 0, 0, f"JupyterLab says: {dialog.first.inner_text()}"
        if is_idle(address):
            with page.expect_response(lambda reply: reply.request.method == "PUT"):
                choose(page, "File", "Save Notebook")
            saved = ask(address, f"contents/notebooks/{name}")["content"]
            found = judge(nbformat.from_dict(saved))
            if NOT_RUN not in found[2]:
                return found
    return *found[:2], f"not finished after {SECONDS} s"


def try_notebook(browser: Browser, container: str, name: str) -> Outcome:
    """Run one notebook, with a server of its own."""
    print(f"{name} ...", flush=True)
    checks, passed, problem = 0, 0, ""
    with running(container, command_of(container)) as watch:
        begun = time.monotonic()
        page = browser.new_page(viewport={"width": 1280, "height": 1600})
        try:
            address = address_of(watch.child, LOG)
            users = {process.uids().real for process in watch.family()}
            if users != {1000}:
                problem = f"the server runs as user {users}, expected 1000"
            checks, passed, found = run_in_browser(page, address, name)
            problem = problem or found
            page.locator(".cell-tag-pair").first.scroll_into_view_if_needed()
            page.screenshot(path=SCREENSHOTS / f"image-{Path(name).stem}.png")
        except (BrowserError, OSError, Sentence) as error:
            problem = str(error)
        seconds = time.monotonic() - begun
        if watch.exceeded:
            problem = TOO_MUCH
        page.close()
    if problem:
        print(f"{name} failed: {problem}", flush=True)
    return Outcome(name, seconds / 60, watch.peak, checks, passed, problem)


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the table of the results, in seconds and for the whole container."""
    rows = [("notebook", "seconds", "peak memory", "checks passed", "")]
    for o in outcomes:
        seconds, peak = f"{60 * o.minutes:.0f}", f"{o.peak_bytes / 1e9:.2f} GB"
        checks = f"{o.checks_passed} of {o.checks}"
        rows.append((o.name, seconds, peak, checks, "failed" if o.problem else "ok"))
    return "\n".join(LINE.format(*row).rstrip() for row in rows)


def try_kernels(container: str, number: int) -> str:
    """Start and stop kernels; return what went wrong."""
    print(f"{number} starts of a kernel ...", flush=True)
    with running(container, ["python", "-c", KERNELS, str(number)]) as watch:
        code = watch.child.wait()
    said = LOG.read_text()
    codes = re.findall(r"exit code (-?\d+)", said)
    good = codes.count("0")
    print(f"Kernels that ended with exit code 0: {good} of {number}.")
    return "" if code == 0 and good == number else f"Kernels failed:\n{said[-2000:]}"


def chosen(names: Sequence[str]) -> list[str]:
    """Return the notebooks that the names mean, such as 01 or 01_mnist.ipynb."""
    every = sorted(path.name for path in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    unknown = [n for n in names if not any(e.startswith(Path(n).name) for e in every)]
    if unknown:
        raise Sentence(
            f"There is no notebook {', '.join(unknown)}; expected the numbers of "
            f"notebooks, such as {every[0][:2]} or {every[-1][:2]}."
        )
    wanted = tuple(Path(n).name for n in names) or ("",)
    return [name for name in every if name.startswith(wanted)]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebooks", nargs="*", help="such as 01 (default: all)")
    parser.add_argument("--kernels", type=int, default=50, help="default: 50")
    parser.add_argument("--image", help="test this image of an earlier run")
    options = parser.parse_args(arguments)
    names = chosen(options.notebooks)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Sentence("This needs Debian and its user root; debootstrap does.")
    if network() != "off":
        # Build with the network, then begin again without it.
        offline = own_network()
        if not offline:
            raise Sentence("`unshare --net` is not allowed here, but this needs it.")
        if not options.image:
            install_tools()
            build()
        again = [sys.executable, __file__, f"--image={options.image or IMAGE}"]
        again += [f"--kernels={options.kernels}", *names]
        os.execvp(offline[0], [*offline, *again])
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    if not options.image:
        raise Sentence("The network is off, but the build needs it (or use --image).")
    with kernel_limit() as prefix:
        way = "limited by Linux" if prefix else "measured five times a second"
    print(f"Network: {network()}. Memory: {BINDER / 1e9:.0f} GB, {way}.", flush=True)
    with container_of(options.image) as container:
        with open_browser() as browser:
            outcomes = [try_notebook(browser, container, name) for name in names]
        problem = try_kernels(container, options.kernels)
    print("", table(outcomes), problem, sep="\n")
    return 1 if problem or any(o.problem for o in outcomes) else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main(sys.argv[1:]))
    except Sentence as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
