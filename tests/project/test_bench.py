"""tools/bench.py: its file of results, and its exit status."""

import json
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import bench


@pytest.fixture
def run_bench(monkeypatch, tmp_path, capsys):
    """Run the program with fake benches, and return its status and its file."""
    values = {"fit": [1.0, 3.0], "exit": [0.5]}

    def rows(name):
        return [
            bench.Row(f"{name} {place}", value, "s", 2.0)
            for place, value in enumerate(values[name])
        ]

    benches = {name: lambda rounds, name=name: rows(name) for name in values}
    monkeypatch.setattr(bench, "BENCHES", benches)
    monkeypatch.setattr(bench, "machine", lambda: "here")
    monkeypatch.setattr(bench, "RESULT", tmp_path / "build" / "bench.json")

    def run(*arguments, **changed):
        values.update(changed)
        monkeypatch.setattr(sys, "argv", ["bench.py", *arguments])
        status = bench.main()
        found = json.loads(bench.RESULT.read_text())
        return status, {r["name"]: r["value"] for r in found}, capsys.readouterr()

    return run


def test_a_missed_limit_is_the_exit_status(run_bench):
    status, _, said = run_bench()
    assert status == 1
    assert said.err == "Missed: fit 1\n"
    assert said.out.count("holds") == 2
    assert said.out.count("MISSED") == 1
    status, _, said = run_bench(fit=[1.0, 1.5])
    assert (status, said.err) == (0, "")


def test_a_part_can_be_measured_alone(run_bench):
    status, found, _ = run_bench("--only", "exit")
    assert (status, found) == (0, {"exit 0": 0.5})


def test_the_reference_campaigns_give_rows():
    rows = bench.bench_campaign(1)
    assert len(rows) == 2 * len(bench.REFERENCES) > 0
    assert all(row.value > 0 for row in rows)


def test_the_error_of_a_failed_program_is_shown():
    code = "import sys; print('FAILED 02', flush=True); sys.exit('no module x')"
    with pytest.raises(RuntimeError, match="FAILED 02\nno module x"):
        bench.numbers([*bench.PYTHON, code], 0)
    with pytest.raises(RuntimeError, match="failed"):
        bench.numbers([*bench.PYTHON, "print(1)"], 2)


@pytest.mark.parametrize(("count", "expected"), [(0, []), (1, [2.0]), (2, [1.0, 2.0])])
def test_the_numbers_are_the_last_words_of_a_program(count, expected):
    code = "print('00_start: 4 cells', 1, 2)"
    assert bench.numbers([*bench.PYTHON, code], count) == expected


def test_a_difference_is_of_the_two_programs_measured_in_turns(monkeypatch):
    """Here the machine gets slower each time, and the order must not matter."""
    order, clock = [], iter(range(100))

    def numbers(command, count=1):
        order.append(command[-1])
        return [next(clock) + {"base": 0, "whole": 10}[command[-1]]]

    monkeypatch.setattr(bench, "numbers", numbers)
    [found] = bench.beyond("x", ["base"], ["whole"], 4, 9.5)
    assert order == ["whole", "base", "base", "whole"] * 2
    assert found.value == 10
    assert not found.holds


def test_seconds_are_the_median():
    code = "import pathlib; p = pathlib.Path({!r}); n = len(p.read_text()); "
    code += "p.write_text('x' * (n + 1)); print((9, 1, 2)[n])"
    with tempfile.NamedTemporaryFile() as file:
        program = [*bench.PYTHON, code.format(file.name)]
        [found] = bench.seconds("x", program, 3, 2.0)
    assert (found.value, found.holds) == (2.0, True)
