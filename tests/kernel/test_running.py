"""The line under a long-running cell, in real kernels."""

import re

import pytest

# R in C code, R in a loop, Python, and a cell that ends with an error.
LONG = {
    "R sleeps": "%%R\nSys.sleep(1)",
    "R computes": "%%R\nend <- Sys.time() + 1\nwhile (Sys.time() < end) x <- 1",
    "Python": "import time\ntime.sleep(1)",
    "an error": "time.sleep(1)\n1 / 0",
}


@pytest.fixture(scope="module")
def quick(kernel):
    """The kernel, set to show the line soon."""
    kernel.run(
        "from sidebyside.common import running as now\n"
        "from sidebyside.kernel import running\n"
        "import time\nrunning.AFTER, running.EVERY = 0.2, 0.2"
    )
    return kernel


@pytest.mark.parametrize("code", LONG.values(), ids=LONG)
def test_a_long_cell_has_a_line_until_it_ends(quick, code):
    reply = quick.run(code, cell_id="a")
    (shown,) = reply.displays
    texts = [u["data"].get("text/plain", "") for u in [shown, *reply.updates]]
    assert len(texts) >= 4
    assert all(re.fullmatch(r"running for \d s", text) for text in texts[:-1])
    assert set(reply.updates[-1]["data"].values()) == {""}


def test_the_line_says_what_is_being_done(quick):
    code = "now.doing = 'block 1 of 2, r'\ntime.sleep(0.5)\nnow.doing = ''"
    (shown,) = quick.run(code, cell_id="a").displays
    assert shown["data"]["text/plain"].endswith("s: block 1 of 2, r")


@pytest.mark.parametrize(("code", "cell_id"), [("1", "a"), ("time.sleep(0.5)", None)])
def test_no_line_for_a_short_cell_and_for_a_program_that_executes(quick, code, cell_id):
    reply = quick.run(code, cell_id)
    assert reply.displays == reply.updates == []
