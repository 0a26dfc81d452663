"""What the kernel makes of R's messages."""

import pytest
from sidebyside.kernel.extension import is_interrupt


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("", True),
        ("Error: KeyboardInterrupt", True),
        ("Error in py_call_impl(callable, call_args) : KeyboardInterrupt: ", True),
        ("Error in f(7) : no such digit: 7", False),
        ("Error: KeyboardInterrupt is not a function", False),
    ],
)
def test_an_interrupt_is_told_from_an_error(message, expected):
    assert is_interrupt(message) is expected
