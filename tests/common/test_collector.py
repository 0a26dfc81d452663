"""The garbage collector is paused, and afterwards as it was before."""

import gc

import pytest
from sidebyside.common import collector


@pytest.fixture(autouse=True)
def as_before():
    enabled = gc.isenabled()
    yield
    (gc.enable if enabled else gc.disable)()


def test_nothing_is_collected_in_the_block():
    gc.enable()
    before = [generation["collections"] for generation in gc.get_stats()]
    with pytest.raises(ZeroDivisionError), collector.paused():
        kept = [[] for _ in range(100_000)]
        after = [generation["collections"] for generation in gc.get_stats()]
        1 / 0  # noqa: B018
    assert len(kept) == 100_000
    assert after == before
    assert gc.isenabled()


def test_new_objects_count_as_old_and_can_still_be_collected():
    gc.enable()
    gc.collect()
    with collector.paused():
        cycle = []
        cycle.append(cycle)
        del cycle
        kept = [[] for _ in range(10_000)]
    assert gc.get_freeze_count() == 0
    assert gc.get_count()[0] < 1000 < len(kept)
    assert gc.collect() >= 1


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    with collector.paused():
        pass
    assert not gc.isenabled()
