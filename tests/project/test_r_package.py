"""The R package: its own tests (testthat), one item per file, and its help pages.

All files run in one R process, since each would spend three seconds on
starting TensorFlow. They run on the package as it is installed, and as the
reader has it: with `library(sidebyside)`, not inside its namespace.
"""

import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "r"
TESTS = PACKAGE / "tests" / "testthat"
TEST_FILES = sorted(path.name for path in TESTS.glob("test-*.R"))

# One line of JSON for each file, written when it is done: if R dies, the file
# in which it died is the first without a line.
RUN_TESTS = r"""
arguments <- commandArgs(TRUE)
library(testthat)
library(sidebyside)
results <- file(arguments[1], "w")
found <- function(expectation) {
  srcref <- expectation$srcref
  list(
    kind = sub("^expectation_", "", class(expectation)[1]),
    message = if (inherits(expectation, "expectation_success")) {
      ""
    } else {
      conditionMessage(expectation)
    },
    line = if (is.null(srcref)) 0L else as.integer(srcref)[1]
  )
}
for (file in arguments[-1]) {
  tests <- test_file(
    file,
    env = new.env(parent = globalenv()), load_package = "none",
    reporter = "silent", stop_on_failure = FALSE
  )
  tests <- lapply(tests, function(test) {
    list(name = test$test, found = lapply(test$results, found))
  })
  line <- jsonlite::toJSON(
    list(file = basename(file), tests = unname(tests)),
    auto_unbox = TRUE
  )
  writeLines(line, results)
  flush(results)
}
cat("dialect:", dialect(), "\n")
"""


def r_environment():
    """Return the environment of `tools/setup.py --exec`, also without it."""
    env = dict(os.environ)
    env.setdefault("RETICULATE_PYTHON", sys.executable)
    library = Path(sys.prefix) / "r-library"
    if library.is_dir():
        env.setdefault("R_LIBS", str(library))
    env["SIDEBYSIDE_NOTEBOOKS"] = str(ROOT / "notebooks")
    # Run everything, also tests that testthat leaves out on CRAN's machines.
    env["NOT_CRAN"] = "true"
    return env


def rscript(code, *arguments, timeout=600):
    rscript = shutil.which("Rscript")
    assert rscript, "There is no Rscript on the PATH; `make setup` installs R."
    return subprocess.run(
        [rscript, "-e", code, *map(str, arguments)],
        env=r_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=timeout,
        check=False,
    )


@pytest.fixture(scope="module")
def outcomes(request, tmp_path_factory):
    """Return the results of the chosen test files, by file, and what R printed."""
    chosen = [
        item.callspec.params["name"]
        for item in request.session.items
        if item.path == request.path
        and "name" in getattr(getattr(item, "callspec", None), "params", {})
    ]
    results = tmp_path_factory.mktemp("testthat") / "results.jsonl"
    done = rscript(RUN_TESTS, results, *(TESTS / name for name in chosen))
    lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    by_file = {line["file"]: line["tests"] for line in map(json.loads, lines)}
    return by_file, done


def report(name, tests, kinds):
    """List the results of these kinds, each with its place and R's message."""
    return "\n\n".join(
        f"r/tests/testthat/{name}:{found['line']}: {test['name']} [{found['kind']}]\n"
        f"{found['message']}"
        for test in tests
        for found in test["found"]
        if found["kind"] in kinds
    )


@pytest.mark.parametrize("name", TEST_FILES)
def test_testthat(name, outcomes):
    by_file, done = outcomes
    if name not in by_file:
        ended = f"R ended with code {done.returncode} before {name} was done:"
        pytest.fail(f"{ended}\n{done.stdout[-5000:]}", pytrace=False)
    tests = by_file[name]
    problems = report(name, tests, {"failure", "error"})
    if problems:
        pytest.fail(problems, pytrace=False)
    kinds = [found["kind"] for test in tests for found in test["found"]]
    if "success" not in kinds:
        skipped = report(name, tests, {"skip"})
        if skipped:
            pytest.skip(skipped)
        pytest.fail(f"{name} holds no test that expects something.", pytrace=False)
    print(report(name, tests, {"skip", "warning"}))


def test_every_test_file_is_found():
    others = {path.name for path in TESTS.iterdir() if path.suffix == ".R"} - set(
        TEST_FILES
    )
    assert all(name.startswith(("helper-", "setup-")) for name in others), others


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("expect_equal(1 + 1, 3)", "not equal to 3"),
        ("stop('in the middle')", "in the middle"),
        ("quit(status = 3)", "code 3"),
        ("", "empty test"),
    ],
)
def test_a_failure_is_seen(change, expected, tmp_path):
    """testthat's results are read correctly for a file with one error."""
    bad = tmp_path / "test-bad.R"
    bad.write_text(f'test_that("one is one", {{\n  {change}\n}})\n', encoding="utf-8")
    results = tmp_path / "results.jsonl"
    done = rscript(
        RUN_TESTS.replace("library(sidebyside)", "dialect <- function() 'none'"),
        results,
        bad,
    )
    lines = results.read_text(encoding="utf-8").splitlines()
    by_file = {line["file"]: line["tests"] for line in map(json.loads, lines)}
    with pytest.raises((pytest.fail.Exception, pytest.skip.Exception)) as caught:
        test_testthat("test-bad.R", (by_file, done))
    assert expected in str(caught.value).lower()


def test_help_pages_are_up_to_date(tmp_path):
    """NAMESPACE and man/ are what roxygen2 makes from the comments."""
    [noted] = re.findall(r"RoxygenNote: (\S+)", (PACKAGE / "DESCRIPTION").read_text())
    asked = rscript('cat("version", format(packageVersion("roxygen2")))')
    if f"version {noted}" not in asked.stdout:
        pytest.skip(f"The pages were made by roxygen2 {noted}; here is another.")
    copy = tmp_path / "sidebyside"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("tests"))
    done = rscript(
        'roxygen2::roxygenise(commandArgs(TRUE), load_code = "source")', copy
    )
    assert done.returncode == 0, done.stdout
    pages = {x.name for folder in (PACKAGE, copy) for x in (folder / "man").iterdir()}
    files = ["NAMESPACE", *(f"man/{page}" for page in pages)]
    _, different, missing = filecmp.cmpfiles(PACKAGE, copy, files, shallow=False)
    assert not different + missing, f"`make docs` changes {different + missing} in r/."
