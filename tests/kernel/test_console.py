"""A cell shows what R's own console shows, for about a hundred expressions."""

import base64
import io
import re
import subprocess
import time
from pathlib import Path

import pytest
from PIL import Image

# The expressions are separated by empty lines, and share their variables.
EXPRESSIONS = Path(__file__).with_name("console.R").read_text("utf-8").split("\n\n")

ADDRESS = re.compile("0x[0-9a-f]+")


@pytest.fixture(scope="module")
def console(kernel, tmp_path_factory):
    """What R prints for each, in one process that continues after errors."""
    folder = tmp_path_factory.mktemp("console")
    width = kernel.r("cat(getOption('width'))").stdout
    lines = [f"options(width = {width}, keep.source = TRUE, error = expression(NULL))"]
    for number, code in enumerate(EXPRESSIONS):
        lines += [f'cat("\\n=== {number} ===\\n")', code]
    script = folder / "console.R"
    script.write_text("\n".join(lines) + "\n", "utf-8")
    ended = subprocess.run(
        ["Rscript", "--vanilla", str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    # Only a script that continues after an error lists the calls.
    text = re.sub(r"^Calls: .*\n", "", ended.stdout, flags=re.MULTILINE)
    return [clean(shown) for shown in re.split(r"=== \d+ ===\n", text)[1:]]


def clean(text):
    """Remove parts of a text that differ between runs, and line numbers of cells."""
    text = ADDRESS.sub("0x", text).strip()
    text = re.sub(r"^Error in line \d+:", "Error:", text, flags=re.MULTILINE)
    return re.sub(r"^Error in line \d+, ", "Error in ", text, flags=re.MULTILINE)


def test_a_cell_shows_what_rs_console_shows(kernel, console):
    assert len(console) == len(EXPRESSIONS) > 300
    differ = []
    for code, expected in zip(EXPRESSIONS, console, strict=True):
        reply = kernel.r(code)
        shown = clean(reply.stdout + reply.shown) + reply.stderr
        if shown != expected:
            differ.append(f"{code}\n--- R\n{expected}\n--- cell\n{shown}")
    assert not differ, "\n\n".join(differ)


# --- errors name the line of the cell: `%%R` is line 1

F = "f <- function(x) {\n  y <- x\n  stop('no ', y)\n}\n"
LINES = {
    "x <- 1\n\nsqares": "Error in line 4: object 'sqares' not found",
    f"{F}f(7)": "Error in line 4, f(7) : no 7",
    f"{F}lapply(1:2, function(i) f(i))": "Error in line 4, f(i) : no 1",
    "for (i in 1:2) {\n  x <- 1\n  log('a')\n}": 'Error in line 4, log("a") : ',
    "g <- function(x) {\n  y <- x\n  y + 'a'\n}\ng(1)": 'Error in line 4, y + "a" : ',
    # In a statement of several lines, it is the line of the call.
    "c(1, 2) |>\n  sum() |>\n  sqares()": "Error in line 4, sqares(sum(c(1, 2))) : ",
    "1 |>\n  h(1) |>\n  h(-1)": "Error in line 4, h(h(1, 1), -1) : n",
    "1 |>\n  h(-1) |>\n  h(1)": "Error in line 3, h(1, -1) : n",
    "list(a = 1,\n  b = sqares)": "Error in line 3: object 'sqares' not found",
    "x <- c(1,\n  sqrt('a'),\n  sqrt(4))": 'Error in line 3, sqrt("a") : ',
    # rlang's errors print themselves.
    "r <- function(x) rlang::abort(c('no', i = 'hint'))\n1\nr(7)": (
        "Error in line 2, r(7) : no\n\u2139 hint"
    ),
    "d <- data.frame(a = 1)\nggplot2::ggplot(d, ggplot2::aes(a, nope)) +\n"
    "  ggplot2::geom_point()": "Error in line ",  # the rest depends on the version
    # For code outside the cell, it is the line that called it.
    "x <- 1\nf(8)": "Error in line 3, f(8) : no 8",
    "1\neval(parse(text = 'stop(1)'))": "Error in line 3, eval(",
    "lm(y ~ x,\n  nowhere)": "Error in line 3, ",  # R 4.5 changed the call after it
    "keras_model_sequential(input_shape = 3) |>\n  layer_dense(2) |>\n"
    "  layer_dense(units = -1)": "Error in line 4",
    "x <- c(1, 2\ny <- 3": "Error in line 3, column 1: unexpected symbol\n2: x <- c(1",
    "x <- (1 +": "Error in line 3, column 0: unexpected end of input\n2: x <- (1 +",
    "x <- '\\q'": "Error: '\\q' is an unrecognized escape",
    "1\nprint.odd <- function(x) stop('odd')\nstructure(1,\n  class = 'odd')": (
        "Error in line 3, print.odd(x) : odd"
    ),
}


@pytest.mark.parametrize(("code", "expected"), LINES.items(), ids=range(len(LINES)))
def test_an_error_names_its_line(kernel, code, expected):
    kernel.r(f"{F}h <- function(x, n) if (n < 0) stop('n') else x")
    reply = kernel.r(code)
    assert reply.error == "RError"
    assert reply.shown.startswith(expected)
    assert "Error" not in reply.stdout


def test_code_that_cannot_be_read_is_not_run_at_all(kernel):
    kernel.r("kept <- 1")
    assert kernel.r("kept <- 2\n)").status == "error"
    assert kernel.r("cat(kept)").stdout == "1"


WRONG_OPTIONS = {
    "%%R --nope\n1": "--nope",
    "%%R -w wide\n1": "wide",
    "%%R -i nowhere\n1": "'nowhere' is not defined",
    "%%R -o nowhere\n1": "'nowhere' not found in R",
    "%%R -c nowhere\n1": "'nowhere' is not defined",
    "%%R -i kernel_object\n1": "Conversion",
    "%Rpull nowhere": "'nowhere' not found in R",
    "%Rget nowhere": "'nowhere' not found in R",
    "%Rpush nowhere": "'nowhere' is not defined",
}


@pytest.mark.parametrize(("code", "said"), WRONG_OPTIONS.items())
def test_a_wrong_option_is_one_line(kernel, code, said):
    kernel.run("kernel_object = object()")
    reply = kernel.run(code)
    assert reply.status == "error"
    shown = reply.stderr + reply.shown
    assert said in shown
    assert shown.strip().count("\n") == 0


def test_a_line_of_r_returns_its_value(kernel):
    assert kernel.run("%R x <- c(1, 2); mean(x)").text == "array([1.5])"
    assert kernel.run("%R invisible(NULL)").text == ""
    assert kernel.run("%R stop('in a line')").shown == "Error: in a line"
    kernel.run("import numpy as np\nfrom_python = np.arange(3.)")
    assert kernel.run("%%R -i from_python -o back\nback <- from_python + 1").ok
    assert kernel.run("back").text == "array([1., 2., 3.])"


# --- what is shown comes in order, and soon


def test_output_of_both_languages_is_in_order(kernel):
    reply = kernel.r(
        "main <- reticulate::import_main()\n"
        "reticulate::py_run_string('def say(x): print(x)')\n"
        "cat('a\\n'); message('b'); main$say('c'); warning('d'); cat('e\\n')\n"
        "f <- function() { warning('g'); cat('f\\n') }\nf()"
    )
    assert "".join(reply.order) == (
        "a\nb\nc\nWarning message:\nd \ne\nf\nWarning message:\nIn f() : g\n"
    )


def test_a_text_is_shown_while_r_works(kernel):
    request = kernel.send("%%R\ncat('started')\nSys.sleep(1)")
    while "started" not in kernel.next_message(10)["content"].get("text", ""):
        pass
    began = time.monotonic()
    kernel.finish(request)
    assert time.monotonic() - began > 0.5


def test_many_lines_are_shown_at_once(kernel):
    """When each line was sent separately, it took 40 s. Python takes 0.3 s."""
    began = time.monotonic()
    reply = kernel.r("for (i in 1:50000) cat(i, '\\n')")
    assert time.monotonic() - began < 10
    assert reply.stdout.count("\n") == 50000


def test_what_is_not_utf8_is_replaced(kernel):
    assert kernel.r("cat('f\\xfcr\\n')").stdout == "f\ufffdr\n"
    assert kernel.r("message('f\\xfcr')").stdout == "f\ufffdr\n"


@pytest.mark.parametrize(
    "code", ["readline('name? ')", "scan()", "menu('a')", "(function() browser())()"]
)
def test_a_question_without_an_answer_gets_an_empty_one(kernel, code):
    assert "Nobody can answer" in kernel.r(code).stdout


def test_a_reader_may_define_functions_with_the_same_names(kernel):
    names = "print show format eval cat c options dev.off list png parse names is.null"
    kernel.r(
        f"for (n in strsplit('{names}', ' ')[[1]]) assign(n, function(...) stop(n))"
    )
    try:
        reply = kernel.r("factor('a')\n1:2\nfunction(x) x\nplot(1)\nlog('a')")
        assert reply.stdout == "[1] a\nLevels: a\n[1] 1 2\nfunction(x) x\n"
        assert len(reply.displays) == 1
        assert "line 6" in reply.shown
    finally:
        kernel.r("rm(list = base::ls())")


# --- pictures


def pictures(reply):
    """Return the displays of a cell in their last state."""
    shown = [*reply.displays, *reply.updates]
    return list({d["transient"].get("display_id"): d for d in shown}.values())


def sizes(reply):
    files = [base64.b64decode(d["data"]["image/png"]) for d in pictures(reply)]
    return [Image.open(io.BytesIO(png)).size for png in files]


GGPLOT = (
    "library(ggplot2)\nd <- data.frame(a = 1:3)\n"
    "p <- ggplot(d, aes(a, a)) + geom_point()\n"
)
PICTURES = {
    "plot(1)": 1,
    "plot(1)\ndev.off()": 1,
    "plot(1)\ngraphics.off()": 1,
    "plot(1:3)\nlines(3:1)\nabline(h = 2)\n'done'": 1,
    "plot(1); plot(2)": 2,
    "for (i in 1:10) plot(i)": 10,
    "par(mfrow = c(1, 2))\nplot(1)\nplot(2)": 1,
    "layout(1:2)\nplot(1)\nplot(2)\nplot(3)": 2,
    "old <- par(mar = c(1, 1, 1, 1))": 0,
    "plot.new()": 0,
    "f <- tempfile()\npng(f)\nplot(1)\ninvisible(dev.off())\nfile.size(f) > 0": 0,
    "f <- tempfile()\nplot(1)\npdf(f)\nplot(2)\ninvisible(dev.off())\nlines(1)": 1,
    "dev.new(width = 3, height = 3)\nplot(1)": 1,
    "plot(1)\nstop('after it')": 1,
    f"{GGPLOT}p": 1,
    f"{GGPLOT}for (i in 1:3) print(p)": 3,
    f"{GGPLOT}p\ninvisible(1)": 1,
    "library(grid)\ngrid.newpage()\ngrid.rect(width = 0.5)\ngrid.circle()": 1,
    "h <- hist(c(1, 2, 2), plot = FALSE)": 0,
    "f <- function() { plot(1); invisible(dev.off()) }\nf()\nf()": 2,
}


@pytest.mark.parametrize(("code", "number"), PICTURES.items(), ids=range(len(PICTURES)))
def test_pictures_are_those_that_r_draws(kernel, code, number):
    reply = kernel.r(code)
    assert len(sizes(reply)) == number, reply.shown
    assert kernel.r("is.null(dev.list())").stdout == "[1] TRUE\n"


def test_drawing_more_into_a_picture_shows_one_picture(kernel):
    stepwise = kernel.r("alt_text('Two lines.')\nplot(1:3)\nlines(3:1)\n1 + 1")
    together = kernel.r("{ plot(1:3); lines(3:1) }")
    [added], [drawn] = pictures(stepwise), pictures(together)
    assert added["data"] == drawn["data"]
    assert added["metadata"]["image/png"]["alt"] == "Two lines."


@pytest.mark.parametrize(
    "code",
    [
        "cat('a')\nplot(1)\ncat('b')\nplot(2)\ncat('c')",
        "{ cat('a'); plot(1); cat('b'); plot(2); cat('c') }",
        "f <- function(i) { cat(i); if (i != 'c') { plot(1); points(1, 1.1) } }\n"
        "for (i in c('a', 'b', 'c')) f(i)",
        f"{GGPLOT}{{ cat('a'); print(p); cat('b'); print(p); cat('c') }}",
    ],
    ids=["expressions", "braces", "loop", "grid"],
)
def test_a_picture_is_shown_where_it_was_drawn(kernel, code):
    reply = kernel.r(code)
    assert reply.order == ["a", "a picture", "b", "a picture", "c"]


@pytest.mark.parametrize("device", ["'pdf'", "function(...) png(tempfile())"])
def test_a_readers_own_device_is_closed_after_the_cell(kernel, device):
    assert not pictures(kernel.r(f"options(device = {device})\nplot(1)"))
    assert len(pictures(kernel.r("plot(1)"))) == 1


def test_a_picture_of_a_loop_does_not_wait_for_the_end(kernel):
    request = kernel.send("%%R\nfor (i in 1:2) { plot(i); if (i == 2) Sys.sleep(1) }")
    while kernel.next_message(10)["msg_type"] != "display_data":
        pass
    began = time.monotonic()
    kernel.finish(request)
    assert time.monotonic() - began > 0.5


SIZES = {
    "": (576, 384),
    "-w 480 -h 320": (480, 320),
    "-w 800": (800, 384),
    "-w 6 -h 2": (576, 192),
    "-w 5 -h 5 -u cm -r 254": (500, 500),
    "-w 20 -h 20 -u px -r 10 -p 1": (20, 20),
    "--graphics-device png": (576, 384),
    "-b transparent": (576, 384),
}


@pytest.mark.parametrize(("options", "expected"), SIZES.items())
def test_the_size_of_a_picture(kernel, options, expected):
    draw = "par(mar = c(0, 0, 0, 0)); plot(1)"
    assert sizes(kernel.run(f"%%R {options}\n{draw}")) == [expected]
    assert sizes(kernel.r(draw)) == [(576, 384)]  # not in the next cell


def test_a_device_has_the_requested_size(kernel):
    reply = kernel.r("dev.new(width = 3, height = 2)\nplot(1)\nlines(1)")
    assert sizes(reply) == [(288, 192)]


def test_r_draws_a_network_as_python_does(kernel):
    build = "keras_model_sequential(input_shape = 3) |> layer_dense(2)"
    r = kernel.r(f"model <- {build}\ndraw_network(model)\nplot(1)")
    assert sizes(r)[1] == (576, 384)
    python = kernel.run(
        "import keras\nfrom sidebyside import draw_network\n"
        "model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])\n"
        "draw_network(model)"
    )
    assert sizes(python) == sizes(r)[:1]
    in_r, in_python = pictures(r)[0], pictures(python)[0]
    assert in_r["metadata"] == in_python["metadata"]
    assert "Dense, 2: 8 parameters" in in_r["metadata"]["image/png"]["alt"]


def test_the_reader_may_describe_a_network(kernel):
    r = kernel.r(
        "model <- keras_model_sequential(input_shape = 3) |> layer_dense(2)\n"
        "alt_text('A point.')\nplot(1)\n"
        "alt_text('Mine.')\ndraw_network(model)\ndraw_network(model)"
    )
    python = kernel.run(
        "import keras\nfrom matplotlib import pyplot as plt\n"
        "from sidebyside import alt_text, draw_network\n"
        "model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])\n"
        "alt_text('A point.')\nplt.plot(1)\n"
        "alt_text('Mine.')\ndraw_network(model)\ndraw_network(model)"
    )
    for reply in r, python:
        texts = [d["metadata"]["image/png"]["alt"] for d in reply.displays]
        assert texts[:2] == ["A point.", "Mine."]
        assert texts[2].startswith("A network, from input to output: Input, 3:")


def test_a_drawing_as_svg(kernel):
    reply = kernel.run("%%R --graphics-device svg\nplot(1:3)\nlines(3:1)\nplot(2)")
    assert ["<svg" in d["data"]["image/svg+xml"] for d in pictures(reply)] == [True] * 2
