"""`%load_ext sidebyside` in real kernels, as a reader sees it."""

import base64
import io
import random
import re
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

ANSI = re.compile(r"\x1b\[[0-9;]*m")

# Only R's own functions, so that this runs with keras3 and without.
A_LONG_FIT = """%%R
reticulate::py_run_string("
import keras
class Says(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            print('started', flush=True)
")
model <- keras_model_sequential(input_shape = 20) |> layer_dense(1)
model |> compile(loss = "mse")
model |> fit(matrix(0, 2000, 20), rep(0, 2000),
  epochs = 100000, verbose = 0, callbacks = list(reticulate::import_main()$Says())
)
"""

A_LONG_FIT_IN_PYTHON = """
import keras
import numpy as np

class Says(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            print("started", flush=True)

model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(1)])
model.compile(loss="mse")
x, y = np.zeros((2000, 20)), np.zeros(2000)
model.fit(x, y, epochs=100000, verbose=0, callbacks=[Says()])
"""

# Code that loses an interrupt, as some places in Python and reticulate do.
LOSES = """
import os, signal, time, weakref
from rpy2.rinterface_lib import callbacks

def interrupt():
    os.kill(os.getpid(), signal.SIGINT)

class Loses:
    def __del__(self):
        interrupt()

def in_a_finalizer():
    Loses()

def in_a_weak_reference():
    reference = weakref.ref(held := set(), lambda reference: interrupt())
    del held

def while_r_looks_for_events(before=callbacks.processevents):
    def look():
        callbacks.processevents = before
        interrupt()
    callbacks.processevents = look

def work(lose):
    globals()[lose]()
    end = time.monotonic() + 20
    while time.monotonic() < end:
        pass
"""


def run_and_interrupt(kernel, code, after="started", patience=60, wait=0):
    """Run a cell, and interrupt it some seconds after it has printed a word."""
    request = kernel.send(code)
    seen = ""
    while after not in seen:
        seen += kernel.next_message(patience)["content"].get("text", "")
    time.sleep(wait)
    kernel.interrupt()
    return kernel.finish(request, timeout=30)


# --- loading


def test_loading_says_in_one_line_what_was_found(kernel):
    assert kernel.loaded.stdout.count("\n") == 1
    number = r"\d+(\.\d+)+"
    assert re.fullmatch(
        rf"R {number}, reticulate {number}, "
        rf"(keras3 {number}|the companion's dialect {number}) \| "
        rf"Python {number}, TensorFlow {number}, "
        rf"Keras {number} on tensorflow \| CPU(, GPU(:\d+)?)*\n",
        kernel.loaded.stdout,
    )


def test_loading_shows_nothing_else(kernel):
    """No messages of TensorFlow and no start-up messages of R are shown."""
    assert kernel.loaded.stderr == ""
    for shown in kernel.loaded.displays:  # the style of pairs, no text
        assert shown["data"].pop("text/html").startswith("<style>")
        assert not any(shown["data"].values())


def test_loading_twice_is_harmless(kernel):
    kernel.r("kept <- 42")
    again = kernel.run("%load_ext sidebyside")
    assert again.ok
    assert "already loaded" in again.stdout
    reloaded = kernel.run("%reload_ext sidebyside")
    assert reloaded.ok, reloaded.shown
    assert reloaded.stdout == kernel.loaded.stdout
    assert kernel.r("cat(kept, getOption('width'))").stdout == "42 60"


def test_each_hook_is_registered_once_and_unloading_takes_it_off(kernel):
    """R cannot be stopped, so it continues."""
    count = (
        "from sidebyside.kernel import figures\n"
        "shell = get_ipython()\n"
        "(shell.display_pub._hooks.count(figures.add_alt_text),\n"
        " shell.events.callbacks['pre_run_cell'].count(figures.forget_pending))"
    )
    kernel.run("import sidebyside\nsidebyside.load_ipython_extension(get_ipython())")
    assert kernel.run(count).text == "(1, 1)"
    assert kernel.run("%unload_ext sidebyside").ok
    assert kernel.run(count).text == "(0, 0)"
    assert kernel.r("1 + 1").stdout.strip() == "[1] 2"
    assert kernel.run("%load_ext sidebyside").ok
    assert kernel.run(count).text == "(1, 1)"


def table_lines(reply):
    """Return the lines of Keras's tables, in text or in a display."""
    texts = [reply.stdout, *(x["data"]["text/plain"] for x in reply.displays)]
    lines = ANSI.sub("", "\n".join(texts)).splitlines()
    return [re.sub(r"\w", "x", line) for line in lines if line[:1] in [*"┏┃┡│├└"]]


def test_both_summaries_fit_half_a_screen_and_have_the_same_columns(kernel):
    kernel.run("import keras")
    theirs = kernel.r(
        "keras_model_sequential(20) |> layer_dense(3, name = 'a_1') |>\n"
        "  layer_dense(2, name = 'a_2') |> summary()"
    )
    ours = kernel.run(
        "keras.Sequential([keras.Input((20,)), keras.layers.Dense(3, name='b_1'),\n"
        "                  keras.layers.Dense(2, name='b_2')]).summary()"
    )
    assert table_lines(theirs) == table_lines(ours)
    assert {len(line) for line in table_lines(ours)} == {60}


# --- errors of R


def test_an_error_shows_rs_message_and_no_python(kernel):
    reply = kernel.r("f <- function(x) stop('no such digit: ', x)\nf(7)")
    assert reply.status == "error"
    shown = ANSI.sub("", reply.shown)
    assert "no such digit: 7" in shown
    assert "f(7)" in shown  # R says where
    for word in ("Traceback", "rpy2", "File ", "RInterpreterError", "RError"):
        assert word not in shown
    assert reply.stderr == ""


def test_an_error_of_keras_shows_kerass_message(kernel):
    reply = kernel.r("keras_model_sequential() |> layer_dense(units = -1)")
    assert reply.status == "error"
    assert "units" in reply.shown
    assert "py_last_error" not in reply.shown
    assert "rpy2" not in reply.shown


@pytest.mark.parametrize("say", ["cat('before\\n')", "message('before')"])
def test_what_was_printed_before_an_error_is_shown(kernel, say):
    reply = kernel.r(f"f <- function() stop('then')\n{say}\nf()")
    assert reply.stdout.strip() == "before"
    assert "then" in reply.shown


def test_code_that_r_cannot_parse_says_where(kernel):
    reply = kernel.r("x <- c(1, 2\ny <- 3")
    assert reply.status == "error"
    shown = ANSI.sub("", reply.shown)
    assert shown.startswith("Error in line 3, column 1: unexpected symbol\n")
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    "code", ["message('a word')", "warning('a word')", "cat('a word\\n')"]
)
def test_messages_and_warnings_are_shown(kernel, code):
    reply = kernel.r(code)
    assert reply.ok
    assert "a word" in reply.stdout


# --- what would end the process

RECURSIONS = {
    "plain": "f <- function(n) f(n + 1)\nf(1)",
    "sapply": "f <- function(n) sapply(1, function(i) f(n + 1))\nf(1)",
    "mutual": "a <- function() b()\nb <- function() a()\na()",
    "default": "f <- function(x = f()) x\nf()",
    "handler": "f <- function() tryCatch(f(), error = stop)\nf()",
    "limit": "options(expressions = 5e5)\nf <- function(n) f(n)\nf(1)",
    "method": 'A <- setRefClass("A", methods = list(m = function() m()))\nA$new()$m()',
    "print": 'print.endless <- function(x) print(x)\nstructure(1, class = "endless")',
    "parser": 'parse(text = strrep("(", 1e5))',
    "python": "reticulate::import_main()$python_only()",
    "both": "through <- reticulate::import_main()$through\n"
    "f <- function() through(f)\nf()",
    "callback": """
f <- function(...) f(...)
model <- keras_model_sequential(input_shape = 1) |> layer_dense(1)
model |> compile(loss = "mse")
model |> fit(matrix(0, 2), c(0, 0), verbose = 0,
  callbacks = list(callback_lambda(on_epoch_begin = f)))""",
    "rpy2": "reticulate::import_main()$by_rpy2(1)",
}


@pytest.mark.parametrize("code", RECURSIONS.values(), ids=list(RECURSIONS))
def test_a_recursion_without_end_is_an_error(kernel, code):
    kernel.run(
        "import rpy2.robjects as ro\n"
        "def python_only():\n    return python_only()\n"
        "def through(f):\n    return f()\n"
        "def by_rpy2(n):\n"
        "    return ro.r('reticulate::import_main()$by_rpy2')(n)\n"
        "kept = 'of Python'"
    )
    kernel.r("kept <- 'of R'")
    reply = kernel.r(code)
    assert reply.status == "error"
    # R and IPython leave out the middle of many nested messages, and a newer
    # reticulate only says "R evaluation aborted".
    reasons = "stack|recursion|nested|omitted|truncated|aborted"
    assert re.search(reasons, reply.stdout + reply.shown)
    assert kernel.run("kept").text == "'of Python'"
    assert kernel.r("cat(kept)").stdout == "of R"


@pytest.mark.parametrize("code", ['q("no")', "base::quit(status = 1)", "lapply(1, q)"])
def test_ending_r_is_refused(kernel, code):
    reply = kernel.r(code)
    assert "Kernel > Restart" in reply.shown
    assert kernel.r("1 + 1").stdout.strip() == "[1] 2"


# --- interrupting


@pytest.mark.parametrize(
    "code",
    [
        A_LONG_FIT,
        A_LONG_FIT_IN_PYTHON,
        "%%R\ncat('started\n')\nSys.sleep(600)",
        "%%R\ncat('started\n')\nwhile (TRUE) sqrt(2)",
        "%%R\ntry(stop('caught'), silent = TRUE)\ncat('started\n')\nSys.sleep(600)",
        "%%R\ncat('started\n')\nreticulate::import('time')$sleep(600)",
        # One statement: between two, the interrupt would be in IPython's own code.
        "import time\nif True: print('started', flush=True); time.sleep(600)",
        "def call(f):\n    globals()['f'] = f\n"
        "%R reticulate::import_main()$call(function() while (TRUE) sqrt(2))\n"
        "if True: print('started', flush=True); f()",
    ],
    ids=[
        *(
            "fit",
            "fit-in-python",
            "sleep",
            "loop",
            "sleep-after-an-error",
            "python-by-r",
            "python",
        ),
        "loop-by-python",
    ],
)
def test_an_interrupt_returns_to_the_prompt(kernel, code):
    reply = run_and_interrupt(kernel, code)
    assert reply.error == "KeyboardInterrupt", reply.shown
    unwanted = re.search("rpy2|site-packages|interrupts.py", reply.shown)
    assert not unwanted, reply.shown
    assert kernel.r("1 + 1").stdout.strip() == "[1] 2"
    assert kernel.run("1 + 1").text == "2"


@pytest.mark.parametrize(
    "lose", ["in_a_finalizer", "in_a_weak_reference", "while_r_looks_for_events"]
)
@pytest.mark.parametrize(
    "call", ["work('{}')", "%R reticulate::import_main()$work('{}')"]
)
def test_a_lost_interrupt_is_repeated(kernel, call, lose):
    assert kernel.run(LOSES).ok
    reply = kernel.run(f"ended = False\n{call.format(lose)}\nended = True")
    assert reply.error == "KeyboardInterrupt", reply.shown
    assert kernel.run("ended").text == "False"


def test_an_interrupt_that_tensorflow_drops_is_repeated(kernel):
    """When an epoch makes its iterator, C code asks for the length of a shape."""
    assert kernel.run("""
# Not in a function of the reader's, who may know why an interrupt ends there.
exec('''
import os, signal, sys
from tensorflow import TensorShape

def length(shape, before=TensorShape.__len__):
    if sys._getframe(1).f_code.co_name == "anonymous_iterator_v3":
        TensorShape.__len__ = before
        os.kill(os.getpid(), signal.SIGINT)
    return before(shape)

TensorShape.__len__ = length
''', {})""").ok
    reply = kernel.run(A_LONG_FIT_IN_PYTHON)
    assert reply.error == "KeyboardInterrupt", reply.shown


@pytest.mark.parametrize(
    "code",
    ["cat('x')\nfor (i in 1:1e9) sqrt(2)", "warning('x')"],
    ids=["output", "warnings"],
)
def test_an_interrupt_while_r_prints_stops_r(kernel, code):
    assert kernel.run(LOSES).ok
    assert kernel.run(
        "def write(text, before=callbacks.consolewrite_print):\n"
        "    callbacks.consolewrite_print = callbacks.consolewrite_warnerror = before\n"
        "    interrupt()\n"
        "callbacks.consolewrite_print = callbacks.consolewrite_warnerror = write"
    ).ok
    reply = kernel.r(f"{code}\nended <- TRUE")
    assert reply.error == "KeyboardInterrupt", reply.shown
    assert not reply.stderr
    assert "FALSE" in kernel.r("exists('ended')").stdout


def test_an_earlier_error_is_not_taken_for_that_of_an_interrupt(kernel):
    """Some versions of R keep the last message."""
    kernel.r("stop('an earlier one')")
    kernel.r("invisible()")
    assert kernel.r("cat(geterrmessage())").stdout == ""


THREADS = """
import rpy2.rinterface as ri, rpy2.robjects as ro
from concurrent.futures import ThreadPoolExecutor

def total(n):
    return ri.evalr(f"sum(1:{n})")[0]

def keep(function):
    global r_function
    r_function = function

def in_threads(function=total):
    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(function, [3, 4] * 50))
"""

# Code that R calls runs while the main thread is in R.
IN_THREADS = {
    "rpy2": "in_threads()",
    "robjects": "in_threads(lambda n: ro.r(f'sum(1:{n})')[0])",
    "beside-the-main-thread": """
with ThreadPoolExecutor(1) as pool:
    beside = pool.submit(lambda: [total(3) for _ in range(50)])
    in_main = [total(4) for _ in range(50)]
sum(in_main + beside.result())""",
    "called-by-r": """
%R n <- reticulate::import_main()$in_threads()
ri.globalenv["n"][0]""",
    "called-by-r-in-a-thread": """
r = ri.evalr("function() reticulate::import_main()$in_threads()")
with ThreadPoolExecutor(1) as pool:
    [found] = pool.submit(r).result()
found""",
    "reticulate": """
%R n <- reticulate::import_main()$in_threads(function(n) sum(1:n))
ri.globalenv["n"][0]""",
}


@pytest.mark.parametrize("code", IN_THREADS.values(), ids=list(IN_THREADS))
def test_threads_that_call_r_take_turns(kernel, code):
    kernel.run(THREADS)
    assert kernel.run(code).text == "800"


def test_a_thread_may_free_many_objects_of_r(kernel):
    """Python's garbage collection runs in any thread. It froze at 33 objects."""
    assert kernel.r(
        "main <- reticulate::import_main()\n"
        "main$many <- lapply(1:100, function(i) function() i)"
    ).ok
    free = "import threading\nthread = threading.Thread(target=many.clear)\n"
    assert kernel.run(f"{free}thread.start()\nthread.join()").ok
    assert kernel.r("main$many <- NULL\ngc()").ok


def test_a_thread_that_the_main_thread_waits_for_in_c_does_not_wait_for_it(kernel):
    kernel.run(THREADS + "from sidebyside.kernel import turns; turns.PATIENCE = 0.5")
    reply = kernel.run("""
import tensorflow as tf
called = lambda n: tf.py_function(total, [n], tf.int32)
list(tf.data.Dataset.range(1).map(called))""")
    assert "main thread is busy" in reply.shown
    assert kernel.run("total(3)").text == "6"


@pytest.mark.parametrize("written", ["stdout", "stderr"])
def test_a_flush_within_a_write_does_not_wait_for_it(kernel, written):
    reply = kernel.run(f"""
import sys, time
began = time.monotonic()
print(end=" ", file=sys.{written})
with sys.{written}._buffer_lock:  # as write() holds it
    time.sleep(0.5)  # meanwhile the other thread begins to send the space
    sys.stdout.flush()
    sys.stderr.flush()
time.monotonic() - began < 5""")
    assert reply.text == "True"


def test_a_flush_within_a_flush_does_not_wait_for_it(kernel):
    reply = kernel.run("""
import sys, threading, time
wait = threading.Event.wait

def interrupted(event, timeout=None):
    with event._cond:  # as wait() holds it
        sys.stderr.flush()
    return wait(event, timeout)

began = time.monotonic()
threading.Event.wait = interrupted
try:
    sys.stdout.flush()
finally:
    threading.Event.wait = wait
time.monotonic() - began < 5""")
    assert reply.text == "True"


LOOPS = {
    "robjects": "ro.r('sum(1:10)')",
    "rinterface": "ri.IntSexpVector([1, 2])[0]",
    "magic": "%R x <- sum(1:10)",
    "threads": "in_threads()",
    "crossings": "%R reticulate::import_main()$total(3)",
    "reticulate": "r_function(3)",
    "pictures": "%R for (i in 1:9) plot(i)",
}


@pytest.mark.parametrize("code", LOOPS.values(), ids=list(LOOPS))
def test_the_kernel_survives_an_interrupt_at_any_moment(kernel, code):
    kernel.run(THREADS + "kept = 'of Python'")
    kernel.r("kept <- 'of R'\nreticulate::import_main()$keep(function(x) x)")
    moments = random.Random(code)
    for _ in range(6):
        loop = f"print('started', flush=True)\nwhile True:\n    {code}"
        wait = moments.uniform(0, 0.2)
        reply = run_and_interrupt(kernel, loop, wait=wait)
        assert not reply.ok, (wait, reply.shown)
        # Inside an executor's locks, Python may turn it into another error.
        if "threads" not in code:
            assert reply.error == "KeyboardInterrupt", (wait, reply.shown)
    assert kernel.run("kept").text == "'of Python'"
    assert kernel.r("cat(kept)").stdout == "of R"


@pytest.mark.parametrize("when", ["begin_pictures", "close_devices", "end_pictures"])
def test_an_interrupt_before_or_after_the_code_of_r_is_an_interrupt(kernel, when):
    kernel.run(f"""
import rpy2.robjects as ro
from sidebyside.kernel import console
of_r = console.current()._companion
before = of_r[{when!r}]
def interrupted(*arguments, **named):
    of_r[{when!r}] = before
    ro.r("tools::pskill(Sys.getpid(), tools::SIGINT); while (TRUE) Sys.sleep(0.01)")
of_r[{when!r}] = interrupted""")
    assert kernel.r("plot(1)").error == "KeyboardInterrupt"
    assert len(pictures(kernel.r("plot(2)"))) == 1


# --- figures


def pictures(reply):
    return [d for d in reply.displays if "image/png" in d["data"]]


def alts(reply):
    return [d["metadata"].get("image/png", {}).get("alt") for d in pictures(reply)]


def test_alternative_text_from_python_is_stored_with_the_picture(kernel):
    reply = kernel.run(
        "import matplotlib.pyplot as plt\n"
        "from sidebyside import alt_text\n"
        "alt_text('A line rises.')\n"
        "plt.plot([1, 2, 3])\n"
        "plt.show()"
    )
    assert alts(reply) == ["A line rises."]


def test_two_pictures_of_a_cell_get_their_texts_in_order(kernel):
    reply = kernel.r("alt_text('First.')\nalt_text('Second.')\nplot(1:3)\nplot(3:1)")
    assert alts(reply) == ["First.", "Second."]


def test_pictures_that_python_makes_r_draw_are_not_shown_in_a_cell(kernel):
    kernel.run("import rpy2.robjects as ro; ro.r('plot(1)')")
    assert len(pictures(kernel.r("plot(2)"))) == 1


def test_an_unused_text_is_dropped_at_the_end_of_its_cell(kernel):
    assert kernel.r("alt_text('Of no picture.')").ok
    assert alts(kernel.r("plot(1:3)")) == [None]


def size(reply):
    """Return width and height in pixels, from the header of the PNG file."""
    png = base64.b64decode(pictures(reply)[0]["data"]["image/png"])
    return struct.unpack(">II", png[16:24])


def test_pythons_pictures_are_as_large_as_rs(kernel):
    in_python = kernel.run("import matplotlib.pyplot as plt\nplt.plot([1]); plt.show()")
    assert size(kernel.r("plot(1:3)")) == size(in_python) == (576, 384)


HISTORY_IN_R = """
plot(structure(
  list(params = list(epochs = 12L), metrics = list(loss = 12:1, val_loss = 1:12)),
  class = "keras_training_history"
))
"""
HISTORY_IN_PYTHON = """
import matplotlib.pyplot as plt
plt.plot(range(1, 13), range(12, 0, -1), "o", mec="black")
plt.plot(range(1, 13), range(1, 13), "o", mec="black")
plt.show()
"""


def colours_of(reply):
    """Return the strong colours of a picture, the most frequent first."""
    png = base64.b64decode(pictures(reply)[0]["data"]["image/png"])
    with Image.open(io.BytesIO(png)) as image:
        found = image.convert("RGB").getcolors(1_000_000)
    strong = [(n, rgb) for n, rgb in found if max(rgb) - min(rgb) > 60]
    return [rgb for _, rgb in sorted(strong, reverse=True)[:2]]


def test_a_history_has_the_same_colours_in_both_languages(kernel):
    in_r = colours_of(kernel.r(HISTORY_IN_R))
    assert len(in_r) == 2
    assert set(in_r) == set(colours_of(kernel.run(HISTORY_IN_PYTHON)))


# --- memory


def test_python_objects_that_r_drops_are_freed_and_the_kernel_lives(kernel):
    """reticulate before 1.31 freed them without Python's lock."""
    kernel.run(
        "freed = 0\n"
        "class Counted:\n"
        "    def __del__(self):\n"
        "        global freed\n"
        "        freed += 1\n"
    )
    reply = kernel.r(
        "main <- reticulate::import('__main__', convert = FALSE)\n"
        "kept <- lapply(1:1000, function(i) main$Counted())\n"
        "for (i in 1:5) invisible(gc())"
    )
    assert reply.ok, reply.shown
    assert kernel.run("freed").text == "0"
    assert kernel.r("kept <- kept[1:10]\nfor (i in 1:5) invisible(gc())").ok
    # reticulate may leave the freeing to the next call of Python.
    kernel.r("invisible(reticulate::py_eval('1'))")
    assert kernel.run("freed").text == "990"
    assert kernel.r("kept[[10]]").ok


def test_the_kernel_survives_collections_during_python_calls(kernel):
    reply = kernel.r(
        "total <- 0\n"
        "for (i in 1:2000) {\n"
        "  value <- reticulate::r_to_py(array(runif(1000)))\n"
        "  total <- total + reticulate::py_to_r(value$size)\n"
        "  if (i %% 100 == 0) gc()\n"
        "}\n"
        "cat(total)"
    )
    assert reply.ok, reply.shown
    assert reply.stdout.strip().endswith("2e+06")


def test_an_array_that_r_dropped_is_freed(kernel):
    """R counts only a few bytes for such an array, so we look at the process."""
    memory = "import psutil; psutil.Process().memory_info().rss / 1e6"
    before = float(kernel.run(memory).text)
    for _ in range(4):
        reply = kernel.r(
            "numpy <- reticulate::import('numpy', convert = FALSE)\n"
            "ones <- numpy$ones(20000000L)\n"
            "ones <- NULL"
        )
        assert reply.ok, reply.shown
    assert float(kernel.run(memory).text) - before < 400  # 4 x 160 MB


# --- the end


def test_a_kernel_ends_cleanly_after_errors_and_figures(kernel):
    """This is the last test of this kernel, after all tests above."""
    kernel.r("stop('the last word')")
    assert kernel.leave() == 0


def test_a_kernel_ends_cleanly_and_removes_rs_folder(start_kernel, tmp_path):
    """R's own exit code, which would remove its folder, does not run.

    An error in a profile, which ends the R processes that rpy2 starts, does no harm.
    """
    (tmp_path / ".Rprofile").write_text("mine <- 1\nlibrary(no.such.package)\n")
    kernel = start_kernel()
    assert kernel.run("%load_ext sidebyside").ok
    assert kernel.r("mine").stdout == "[1] 1\n"
    folder = kernel.r("cat(tempdir())").stdout.strip()
    assert kernel.leave() == 0
    assert not Path(folder).exists()


# --- what is missing


# Code that removes a part, and the name in the message. The last one is only for an
# old reticulate.
LACKS = {
    "preflight._installed = lambda name: '' if name == 'keras' else '99'": (
        "keras (found none"
    ),
    "rsession.RSession._has_package = lambda self, name: name != 'reticulate'": (
        "R package reticulate is not installed"
    ),
    "rsession.RSession._has_package = lambda self, name: name != 'sidebyside'": (
        "R companion (R package sidebyside) is not installed"
    ),
    "sys.modules['sidebyside.kernel._finalizer'] = None": "compiled helper",
}


def test_a_missing_part_is_named_and_after_a_fix_the_kernel_continues(start_kernel):
    kernel = start_kernel()
    kernel.run(
        "import sys\n"
        "from sidebyside.kernel import preflight, rsession\n"
        "kept = preflight._installed, rsession.RSession._has_package\n"
        "python = sys.executable, sys.path[0]"
    )
    for code, named in LACKS.items():
        version = "rsession.current().text('format(packageVersion(\"reticulate\"))')"
        if "_finalizer" in code and kernel.run(version).text != "'1.28'":
            continue
        kernel.run(code)
        reply = kernel.run("%load_ext sidebyside")
        shown = ANSI.sub("", reply.shown + reply.stderr)
        assert "Traceback" not in shown
        assert named in shown
        assert "make setup" in shown
        assert kernel.run("6 * 7").text == "42"
        kernel.run(
            "preflight._installed, rsession.RSession._has_package = kept\n"
            "sys.modules.pop('sidebyside.kernel._finalizer', None)"
        )
    loaded = kernel.run("%load_ext sidebyside")
    assert loaded.ok, loaded.shown
    assert loaded.stdout.startswith("R ")
    assert kernel.run("python == (sys.executable, sys.path[0])").text == "True"
    assert kernel.r("cat('R answers\\n')").stdout.strip() == "R answers"


# The C library calls sleep(exit status) at exit, after Python has ended.
LIVES_ON = """
import ctypes, sys
from IPython.core.interactiveshell import InteractiveShell

InteractiveShell.instance().run_line_magic("load_ext", "sidebyside")
library = ctypes.CDLL(None)
library.on_exit(library.sleep, None)
sys.exit(3)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="on_exit()")
def test_reticulates_thread_does_not_call_a_python_that_is_gone():
    """It would do so every half second, and crash a process that ends slowly."""
    ended = subprocess.run([sys.executable, "-c", LIVES_ON], check=False)
    assert ended.returncode == 3
