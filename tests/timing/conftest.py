import pytest
from sidebyside.timing import machine
from timing_fakes import Fakes


@pytest.fixture
def fakes(tmp_path, monkeypatch):
    """A fake notebook, and a separate lock."""
    monkeypatch.setenv("SIDEBYSIDE_TIMING_LOCK", str(tmp_path / "lock"))
    monkeypatch.setenv("SIDEBYSIDE_FAKE", str(tmp_path))
    monkeypatch.setattr(machine, "WATCHED", 0.01)
    # py-cpuinfo takes a second, so only one test calls it.
    monkeypatch.setattr(machine, "_processor", lambda: {"name": "Fake"})
    return Fakes(tmp_path)
