"""How the kernel changes R's messages."""

import pytest
from sidebyside.kernel.console import clean_message, is_interrupt, with_line


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("", True),
        ("Error: KeyboardInterrupt", True),
        ("Error in py_call(x) : KeyboardInterrupt: ", True),
        ("Error in f(7) : no such digit: 7", False),
        ("Error: KeyboardInterrupt is not a function", False),
    ],
)
def test_interrupts_and_errors_are_told_apart(message, expected):
    assert is_interrupt(message) is expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Error: too small\n", "Error in line 3: too small"),
        ("Error in f(2) : too small\n", "Error in line 3, f(2) : too small"),
        ("Error in f(2) : \n  too small\n", "Error in line 3, f(2) : \n  too small"),
        (
            "Error in py_call_impl(f, dots$args) : \n  ValueError: no\n"
            "Run `reticulate::py_last_error()` for details.\n",
            "Error in line 3: ValueError: no",
        ),
        (
            "Error in py_call_impl(f) : RuntimeError: RuntimeError: too deep\n\n\n",
            "Error in line 3: RuntimeError: too deep",
        ),
        ("Fehler in f(2) : zu klein\n", "Line 3: Fehler in f(2) : zu klein"),
    ],
)
def test_an_error_names_the_line(message, expected):
    assert with_line(clean_message(message), 3) == expected
