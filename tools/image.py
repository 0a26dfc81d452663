"""Build the image of binder/Dockerfile, with the program for it that works here.

    python3 tools/image.py                            the image `sidebyside`
    python3 tools/image.py --build-arg NB_UID=1001    pass options to the program

This file uses only the standard library and needs no set-up.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME = "sidebyside"

# `docker info` fails where docker's server does not run.
WORKS = {
    "docker": ("docker", "info"),
    "podman": ("podman", "info"),
    "buildah": ("buildah", "info"),
}
# With chroot, buildah also works inside a container, where it may not make another one.
BUILD = {
    "docker": ("docker", "build"),
    "podman": ("podman", "build"),
    "buildah": ("buildah", "build", "--layers", "--isolation", "chroot"),
}
NONE = (
    "No program that builds images works here (found: {found}). Install podman "
    "(sudo apt-get install podman) or buildah, or start docker."
)


def works(command: Sequence[str]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.run(command, check=False, **quiet).returncode == 0


def choose(works: Callable[[Sequence[str]], bool] = works) -> str | None:
    """Return the first program that works; None if there is none."""
    return next((name for name, question in WORKS.items() if works(question)), None)


def build_command(program: str, options: Sequence[str] = ()) -> list[str]:
    where = ("--file", "binder/Dockerfile", "--tag", NAME, ".")
    return [*BUILD[program], *options, *where]


def main(options: Sequence[str]) -> int:
    program = choose()
    if program is None:
        found = [name for name in WORKS if shutil.which(name)]
        print(NONE.format(found=", ".join(found) or "none"), file=sys.stderr)
        return 1
    command = build_command(program, options)
    print("$", *command, flush=True)
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    if code == 0:
        # Buildah only builds; podman starts its images.
        starts = program.replace("buildah", "podman")
        print(f"To start the image: {starts} run --rm -p 8888:8888 {NAME}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
