"""What the kernel makes of R's messages."""

import pytest
from sidebyside.kernel.magic import is_interrupt


@pytest.mark.parametrize(
    ("message", "call", "expected"),
    [
        ("", "f()", True),
        ("Error: KeyboardInterrupt", "", True),
        ("Error in py_call(x) : KeyboardInterrupt: ", "py_call(x)", True),
        ("Error in f(7) : no such digit: 7", "stop(7)", False),
        ("Error: KeyboardInterrupt is not a function", "", False),
        # What try() caught, and then a sleep; and an error of the sleep.
        ("Error in try(f(7)) : no such digit: 7", "Sys.sleep(60)", True),
        ('Error in Sys.sleep("a") : invalid', 'Sys.sleep("a")', False),
    ],
)
def test_an_interrupt_is_told_from_an_error(message, call, expected):
    assert is_interrupt(message, call) is expected
