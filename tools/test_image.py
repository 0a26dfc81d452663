"""Build the image without Docker, and use it as a reader would (`make test-image`).

    make test-image                     build it, run all notebooks, start 50 kernels
    make test-image ARGS="01 02"        only these notebooks
    make test-image ARGS="--kernels 5"  fewer kernels
    make test-image ARGS=--built        the image that the last run has built

This needs Debian, its user root, and the packages debootstrap and buildah, which it
installs. debootstrap makes the system on which binder/Dockerfile begins, and buildah
builds the image. Both keep what they make in build/image.

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
from urllib.error import HTTPError
from urllib.parse import urlsplit

import image
import nbformat
import psutil
from nbformat import NotebookNode
from offline import BINDER, Watch, network, own_network
from playwright.sync_api import Browser, Page, Response
from playwright.sync_api import Error as BrowserError
from run import LINE, NOTEBOOKS, Outcome, is_check
from screenshot import new_page, open_browser
from sidebyside.common.errors import Sentence

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "image"
LOG = WORK / "log.txt"
SCREENSHOTS = ROOT / "build" / "screenshots"

IMAGE, BASE = f"localhost/{image.NAME}", f"localhost/{image.NAME}-base"
STORAGE = (f"--root={WORK / 'storage'}", f"--runroot={WORK / 'run'}")
BUILDAH = ("buildah", *STORAGE, "--storage-driver=vfs")

FIRST = "00_start_here.ipynb"
SECONDS = 1800  # for one notebook
USER = 1000
NOT_RUN = "it was not run"
TAB = "#jp-main-dock-panel .lm-TabBar-tab.lm-mod-current"

# With these, the build reaches what this machine reaches.
SETTINGS = ("usr/local/share/ca-certificates", "etc/pip.conf")

# Each kernel loads everything, and then leaves when Jupyter asks it to.
KERNELS = """
import sys
from jupyter_client.manager import start_new_kernel
cells = "%load_ext sidebyside", "%%R\\nsum(1:10)", "import keras; keras.ops.sum([1])"
options = {"timeout": 120, "output_hook": lambda message: None}
for number in range(int(sys.argv[1])):
    manager, client = start_new_kernel(kernel_name="python3")
    for cell in cells:
        reply = client.execute_interactive(cell, **options)["content"]
        assert reply["status"] == "ok", reply
    client.shutdown()
    print("exit code", manager.provisioner.process.wait(60), flush=True)
    client.stop_channels()
"""


def run(*command: object, **options: object) -> str:
    """Run a command; if it fails, stop with one sentence. Return what was captured."""
    done = subprocess.run([str(part) for part in command], text=True, **options)
    if done.returncode:
        short = " ".join(map(str, command))[:200]
        raise Sentence(
            f"`{short}` failed with exit status {done.returncode}; see the lines above."
        )
    return (done.stdout or "").strip()


# --- The image


def install_tools() -> None:
    """Install debootstrap and buildah from Debian's packages, if they are missing."""
    missing = [name for name in ("debootstrap", "buildah") if not shutil.which(name)]
    if missing:
        print(f"Installing {' and '.join(missing)} with apt-get.", flush=True)
        run("apt-get", "update", "-qq")
        run("apt-get", "install", "-qq", "--no-install-recommends", *missing)


def base_tree() -> Path:
    """Return a minimal Debian 13 with this machine's settings for its network."""
    tree, unfinished = WORK / "base", WORK / "unfinished"
    if not tree.exists():
        print("Making a minimal Debian 13 (about a minute).", flush=True)
        shutil.rmtree(unfinished, ignore_errors=True)
        log = {"stdout": LOG.open("w")}
        run("debootstrap", "--variant=minbase", "trixie", unfinished, **log)
        unfinished.rename(tree)
    for name in SETTINGS:
        source, target = Path("/", name), tree / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.is_file():
            shutil.copy(source, target)
    apt = run("apt-config", "dump", stdout=subprocess.PIPE)
    lines = re.findall(r"(?m)^Acquire::(?:Check|https?).*\n", apt)
    (tree / "etc/apt/apt.conf.d/90machine").write_text("".join(lines))
    return tree


def build() -> None:
    """Build the image of binder/Dockerfile on the minimal Debian."""
    WORK.mkdir(parents=True, exist_ok=True)
    tree = base_tree()
    with container_of("scratch") as container:
        run(*BUILDAH, "copy", "--quiet", container, tree, "/")
        run(*BUILDAH, "commit", "--quiet", container, BASE)
    print("Building the image (some minutes).", flush=True)
    # With layers each step would keep a copy of everything, of up to 3 GB.
    options = [*BUILDAH[1:], "--layers=false", f"--build-arg=BASE={BASE}"]
    try:
        run(*image.build_command("buildah", options), cwd=ROOT)
    finally:
        clean_up()


def clean_up() -> None:
    """Remove all containers, and images without a name, which were replaced."""
    for command in (["rm", "--all"], ["rmi", "--prune"]):
        subprocess.run([*BUILDAH, *command], stdout=subprocess.DEVNULL, check=False)


@contextlib.contextmanager
def container_of(name: str) -> Iterator[str]:
    """Make a container of an image, and remove it in the end."""
    try:
        yield run(*BUILDAH, "from", "--pull-never", name, stdout=subprocess.PIPE)
    finally:
        clean_up()


# --- The server


class Container(Watch):
    """Watches the image's own processes, but not those of buildah, which are root's."""

    def __init__(self, child: subprocess.Popen) -> None:
        self.child = child
        super().__init__(child.pid, BINDER)

    def family(self) -> list[psutil.Process]:
        found = []
        for process in super().family():
            with contextlib.suppress(psutil.Error):
                found += [process] if process.uids().real else []
        return found


CGROUP = Path("/sys/fs/cgroup/sidebyside-test-image")


@contextlib.contextmanager
def limited() -> Iterator[list[str]]:
    """Give a prefix that lets Linux itself limit the memory; [] where it cannot."""
    with contextlib.suppress(OSError):
        CGROUP.mkdir()
    try:
        if (CGROUP / "memory.max").exists():
            (CGROUP / "memory.max").write_text(str(BINDER))
            yield ["sh", "-c", f'echo $$ > {CGROUP}/cgroup.procs && exec "$@"', "sh"]
        else:
            yield []
    finally:
        with contextlib.suppress(OSError):
            CGROUP.rmdir()


@contextlib.contextmanager
def running(container: str, command: Sequence[str]) -> Iterator[Container]:
    """Run a command in a container, and end it in any case."""
    inside = [*BUILDAH, "run", "--isolation=chroot", container, "--", *command]
    with limited() as prefix, LOG.open("w") as log:
        child = subprocess.Popen(
            [*prefix, *inside], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        watch = Container(child)
        try:
            yield watch
        finally:
            watch.close()
            watch.end()
            try:  # Without its command, buildah ends by itself.
                child.wait(10)
            except subprocess.TimeoutExpired:
                for process in Watch.family(watch):
                    process.kill()
                child.wait()


def command_of(container: str) -> list[str]:
    """Return the image's command. (`buildah run` takes over its other settings.)"""
    facts = json.loads(run(*BUILDAH, "inspect", container, stdout=subprocess.PIPE))
    return facts["OCIv1"]["config"]["Cmd"]


def address_of(server: subprocess.Popen, log: Path) -> str:
    """Wait for JupyterLab, and return the address that it prints."""
    end = time.monotonic() + 60
    while time.monotonic() < end and server.poll() is None:
        if found := re.search(r"http://127\.0\.0\.1:\S+", log.read_text()):
            return found[0]
        time.sleep(0.1)
    raise Sentence(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


# --- A reader in a browser


def ask(address: str, path: str) -> object:
    """Ask the server, with the token that is in its address."""
    url = urlsplit(address)._replace(path=f"/api/{path}").geturl()
    with urllib.request.urlopen(url, timeout=60) as reply:
        return json.load(reply)


def is_idle(address: str) -> bool:
    """Return whether there is a kernel and it has nothing to do."""
    try:
        kernels = ask(address, "kernels")
    except HTTPError as error:
        # While a kernel starts, the server may fail to list it. We ask again.
        if error.code != 500:
            raise
        return False
    return {x["execution_state"] for x in kernels} == {"idle"}


def is_saved(reply: Response) -> bool:
    return reply.request.method == "PUT" and "/api/contents/" in reply.url


def choose(page: Page, menu: str, item: str) -> None:
    """Choose an item of one of JupyterLab's menus."""
    page.locator(".lm-MenuBar-itemLabel", has_text=menu).first.click()
    items = page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{item}$"))
    items.first.click()


def judge(notebook: NotebookNode) -> tuple[int, int, str]:
    """Count checks and passed checks, and name the first problem ("" if none)."""
    checks, passed, problems = 0, 0, []
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        problem = "" if cell.execution_count else NOT_RUN
        if "raises-exception" not in cell.metadata.get("tags", []):
            for error in (o for o in cell.outputs if o.output_type == "error"):
                problem = f"{error.ename}: {error.evalue}"
        checks += is_check(cell)
        passed += is_check(cell) and not problem
        problems += [f"cell {number}: {problem}"] if problem else []
    return checks, passed, (problems or [""])[0]


def run_in_browser(page: Page, address: str, name: str) -> tuple[int, int, str]:
    """Open a notebook, run all its cells, save it, and judge what was saved."""
    end = time.monotonic() + SECONDS
    if name != FIRST:  # The image opens this one by itself.
        url = urlsplit(address)
        path, query = f"/lab/tree/notebooks/{name}", f"{url.query}&reset"
        page.goto(url._replace(path=path, query=query).geturl())
    else:
        page.goto(address)
    page.locator(TAB, has_text=name).wait_for()
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    while not is_idle(address) and time.monotonic() < end:
        time.sleep(0.2)
    # What is saved afterwards comes from this run.
    choose(page, "Edit", "Clear Outputs of All Cells")
    choose(page, "Run", "Run All Cells")
    while time.monotonic() < end:
        time.sleep(2)
        if (dialog := page.locator(".jp-Dialog-content")).count():
            said = dialog.first.inner_text()
            # It saves by itself, too, and on a slow disk takes that for somebody else.
            if not said.startswith("File Changed"):
                return 0, 0, f"JupyterLab says: {said}"
            dialog.get_by_role("button", name="Overwrite").click()
        if is_idle(address):
            with page.expect_response(is_saved):
                choose(page, "File", "Save Notebook")
            saved = ask(address, f"contents/notebooks/{name}")["content"]
            found = judge(nbformat.from_dict(saved))
            if NOT_RUN not in found[2]:
                return found
    return 0, 0, f"it was not finished after {SECONDS} s"


def row(o: Outcome) -> str:
    """Return a row of the table: seconds, and the memory of the whole container."""
    seconds, peak = f"{60 * o.minutes:.0f}", f"{o.peak_bytes / 1e9:.2f} GB"
    checks = f"{o.checks_passed} of {o.checks}"
    return LINE.format(o.name, seconds, peak, checks, "failed" if o.problem else "ok")


def try_notebook(browser: Browser, container: str, name: str) -> Outcome:
    """Run one notebook, with a server of its own."""
    checks, passed, problem = 0, 0, ""
    begun = time.monotonic()
    with running(container, command_of(container)) as watch:
        page = new_page(browser, viewport={"width": 1280, "height": 1600})
        try:
            address = address_of(watch.child, LOG)
            users = {process.uids().real for process in watch.family()}
            if users != {USER}:
                raise Sentence(f"The users of the server are {users}, not {USER}.")
            checks, passed, problem = run_in_browser(page, address, name)
            page.locator(".cell-tag-pair").first.scroll_into_view_if_needed()
            page.screenshot(path=SCREENSHOTS / f"image-{Path(name).stem}.png")
        except (BrowserError, OSError, Sentence) as error:
            problem = str(error)
        if watch.exceeded:
            problem = f"it needed more than {BINDER / 1e9:.0f} GB, so it was ended"
        page.close()
    minutes = (time.monotonic() - begun) / 60
    outcome = Outcome(name, minutes, watch.peak, checks, passed, problem)
    print(row(outcome), problem and f"\n{problem}", flush=True)
    return outcome


def try_kernels(container: str, number: int) -> bool:
    """Start and stop kernels one after another; return whether all ended well."""
    print(f"{number} kernels ...", flush=True)
    with running(container, ["python", "-c", KERNELS, str(number)]) as watch:
        watch.child.wait()
    good = LOG.read_text().splitlines().count("exit code 0")
    print(f"Kernels that ended with exit code 0: {good} of {number}")
    if good < number:
        print(LOG.read_text()[-3000:])
    return good == number


def chosen(names: Sequence[str]) -> list[str]:
    """Return the notebooks that are meant by names such as 01 or 01_mnist.ipynb."""
    every = sorted(path.name for path in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    wanted = [Path(name).name for name in names]
    for name in wanted:
        if not any(x.startswith(name) for x in every):
            raise Sentence(f"There is no notebook {name}; expected a number like 01.")
    return [x for x in every if x.startswith(tuple(wanted or [""]))]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebooks", nargs="*", help="such as 01 (default: all)")
    parser.add_argument("--kernels", type=int, default=50, help="default: 50")
    built = "do not build; use the image of the last run"
    parser.add_argument("--built", action="store_true", help=built)
    options = parser.parse_args(arguments)
    names = chosen(options.notebooks)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Sentence("This needs Debian and its user root, because debootstrap does.")
    if network() != "off":
        prefix = own_network()
        if not prefix:
            raise Sentence("Linux does not allow `unshare --net` here; root needs it.")
        install_tools()
        if not options.built:
            build()
        # The same again, without a network, in which the browser sees the server.
        again = [sys.executable, __file__, "--built", f"--kernels={options.kernels}"]
        os.execvp(prefix[0], [*prefix, *again, *names])
    if not options.built:
        raise Sentence("There is no network, but the build needs one.")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with limited() as prefix:
        way = "limited by Linux" if prefix else "measured five times a second"
    print(f"Network: off. Memory: {BINDER / 1e9:.0f} GB, {way}.", flush=True)
    print(LINE.format("notebook", "seconds", "peak memory", "checks passed", ""))
    with container_of(IMAGE) as container:
        with open_browser() as browser:
            outcomes = [try_notebook(browser, container, name) for name in names]
        survived = try_kernels(container, options.kernels)
    print(f"Screenshots: {SCREENSHOTS}")
    failed = [o.name for o in outcomes if o.problem] + ["kernels"] * (not survived)
    print(f"Failed: {', '.join(failed)}." if failed else "Everything passed.")
    return 1 if failed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main(sys.argv[1:]))
    except Sentence as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Interrupted; everything that was started has ended.")
