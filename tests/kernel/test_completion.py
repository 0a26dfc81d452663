"""Completion (Tab) and help (Shift-Tab) in R cells, in a real kernel."""

import time

import pytest


def ask(kernel, kind, code):
    """Return the kernel's answer for the place in an R cell that `¦` marks."""
    before, after = ("%%R\n" + code).split("¦")
    method = getattr(kernel.client, kind)
    request = method(before + after, len(before))
    while True:
        answer = kernel.client.get_shell_msg(timeout=30)
        if answer["parent_header"].get("msg_id") == request:
            return before, answer["content"]


def completions(kernel, code):
    before, found = ask(kernel, "complete", code)
    word = before[found["cursor_start"] :]
    assert found["cursor_end"] == len(before)
    return word, found["matches"]


@pytest.fixture(scope="module")
def r(kernel):
    assert kernel.r(
        "model <- keras_model_sequential(input_shape = 3) |> layer_dense(2)\n"
        "d <- data.frame(alpha = 1, beta = 2)\n"
        "l <- list(d = d, m = cbind(first = 1, second = 2))\n"
        "double <- function(number) 2 * number\n"
        "makeActiveBinding('noisy', function() {\n"
        "  cat('said'); warning('said'); message('said'); list(quiet = 1)\n"
        "}, globalenv())\n"
        "makeActiveBinding('broken', function() stop('said'), globalenv())"
    ).ok
    # The first completion takes longer.
    completions(kernel, "mea¦")
    return kernel


@pytest.mark.parametrize(
    ("code", "word", "first"),
    [
        ("layer_den¦", "layer_den", "layer_dense"),
        ("x <- layer_den¦\ny <- 2", "layer_den", "layer_dense"),
        ("op_logsum¦", "op_logsum", "op_logsumexp"),  # made on first use
        ("layer_dense(un¦", "un", "units = "),
        ("layer_dense(2,\n  # don't stop (\n  act¦", "act", "activation = "),
        ("model |>\n  fit(x, 'it (',\n    ep¦", "ep", "epochs = "),
        ("f <- function(x) {\n  layer_dense(x, un¦\n}", "un", "units = "),
        ("lapply(1, function(i) { mean(i) }, FU¦", "FU", "FUN = "),
        ("double(¦", "", "number = "),
        ("model$pred¦", "model$pred", "model$predict"),
        ("model$layers[[1]]$unit¦", "model$layers[[1]]$unit", "units"),
        ("d$¦", "d$", "d$alpha"),
        ("é <- 'é'; d$b¦", "d$b", "d$beta"),
        ('d[["be¦"]]', "be", "beta"),
        ("d[d[['alpha']] > 0, c('alpha', 'be¦", "be", "beta"),
        ('l$d[["¦', "", "alpha"),
        ('l[["d"]]$be¦', "be", "beta"),
        ("l[['m']][, 'se¦", "se", "second"),
        ("model[['pred¦", "pred", "predict"),
        ("library(retic¦", "retic", "reticulate"),
        ("stats::median¦", "stats::median", "stats::median"),
        ("readLines('kernel.l¦", "kernel.l", "kernel.log"),
        ("?layer_den¦", "?layer_den", "?layer_dense"),
        ("noisy$q¦", "noisy$q", "noisy$quiet"),
    ],
)
def test_r_completes(r, code, word, first):
    began = time.monotonic()
    found_word, matches = completions(r, code)
    assert time.monotonic() - began < 5  # 0.2 on an idle machine
    assert found_word == word
    assert matches[0].endswith(first), matches[:5]


@pytest.mark.parametrize(
    "code", ["os.pa¦", "isinst¦", "# layer_den¦", "broken$a¦", "¦", "nobody(¦"]
)
def test_pythons_names_do_not_appear_in_an_r_cell(r, code):
    word, matches = completions(r, code)
    assert not {"isinstance", "os.path", "import"} & set(matches)
    assert all(match.startswith(word) for match in matches)


def test_python_cells_and_the_line_magic_complete_as_usual(r):
    def complete(code):
        r.client.complete(code)
        return r.client.get_shell_msg(timeout=30)["content"]["matches"]

    assert "print" in complete("prin")
    assert complete("%R layer_den") == ["layer_dense"]
    assert complete("x = %R layer_den") == ["layer_dense"]


def test_keras3s_names_complete_where_the_companion_answers(r):
    if "dialect" not in r.loaded.stdout:
        pytest.skip("keras3 is installed")
    assert completions(r, "keras3::layer_den¦")[1] == ["keras3::layer_dense"]


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("layer_de¦nse(3)", "layer_dense(object, units"),
        ("layer_dense(3, ¦)", "layer_dense(object, units"),
        ("me¦an(1)", "mean(x, trim = 0"),
        ("double(¦)", "double(number)"),
        ("d¦", "'data.frame'"),
    ],
)
def test_shift_tab_shows_rs_help(r, code, shown):
    _, found = ask(r, "inspect", code)
    text = found["data"]["text/plain"]
    if "keras3 " in r.loaded.stdout:  # whose usage has a line for each argument
        text = " ".join(text.split()).replace("( ", "(")
    assert shown in text[:600]


def test_shift_tab_in_a_python_cell_shows_pythons_help(r):
    assert not ask(r, "inspect", "nobody_knows¦")[1]["found"]
    r.client.inspect("print")
    found = r.client.get_shell_msg(timeout=30)["content"]
    assert "Prints the values" in found["data"]["text/plain"]


def test_nothing_was_printed_and_python_has_its_kernel_back(r):
    """Completions and their errors print nothing; unloading removes the hooks."""
    assert r.r("cat('quiet')").stdout == "quiet"
    assert r.run("%unload_ext sidebyside").ok
    assert not ask(r, "inspect", "mean¦")[1]["found"]
    assert r.run("%load_ext sidebyside").ok
    assert ask(r, "inspect", "mean¦")[1]["found"]


@pytest.mark.parametrize(
    ("code", "first", "within"),
    [
        ("?mean", "mean ", "Arithmetic Mean\n\nDescription:\n\n     Generic"),
        ("help('layer_dense')", "layer_dense ", "\n\nUsage:\n\n     layer_dense("),
        ("help(package = 'stats')", "", "\nIndex:\n"),
        ("??'linear models'", "", "stats::lm"),
        ("demo()", "Demos in package", "graphics"),
        ("example(mean)", "", "mean> x <- c(0:10, 50)\n"),
        ("?nobody_knows", "No documentation for", "??nobody_knows"),
    ],
)
def test_help_is_shown_in_the_cell(r, code, first, within):
    """No pager is used: no name of a file, no extra blank lines, no overstriking."""
    shown = r.r(code)
    assert shown.ok
    assert shown.stdout.lstrip().startswith(first)
    assert within in shown.stdout
    assert "\b" not in shown.stdout
    assert "/Rtmp" not in shown.stdout


def test_help_of_fit_is_that_of_a_model(r):
    """R's own help has no page by that name, and would show a menu of packages."""
    shown = r.r("?fit").stdout
    assert "Choose one" not in shown
    assert "validation_split" in shown


def test_a_menu_without_an_answer_ends(r):
    """R's menu() asks until it has an answer; help() of two packages' pages uses it."""
    assert r.r("menu(c('one', 'two'))").stdout.endswith("[1] 0\n")
