"""The experiment with the real programs, and from inside a notebook."""

import importlib.metadata
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sidebyside.timing import ARMS, campaign, load_campaigns, run_campaign
from sidebyside.timing.format import STAGE_COLUMNS
from timing_fakes import Fakes, run_with_hook

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "03_fruits_cnn.ipynb"


@pytest.fixture
def fruits(tmp_path, monkeypatch):
    """Three classes of noise, in the folders of Fruits-360."""
    chance = np.random.default_rng(1)
    for part, count in (("Training", 16), ("Test", 4)):
        for level, name in enumerate(["Banana", "Kiwi", "Lemon"]):
            folder = tmp_path / "fruits" / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = chance.integers(0, 80, (100, 100, 3)) + 80 * level
                picture = Image.fromarray(pixels.astype("uint8"))
                picture.save(folder / f"{number}_100.jpg")
    monkeypatch.setenv("FRUITS360_DIR", str(tmp_path / "fruits"))
    monkeypatch.setenv("SIDEBYSIDE_TIMING_LOCK", str(tmp_path / "lock"))


# Records when a program's Python first imports each module and first looks for
# devices. (The hook also runs another module of this name.)
WATCH = """\
import importlib.util, os, sys, time

where = os.environ.get("SIDEBYSIDE_WATCHED")
if where and not os.environ.get("SIDEBYSIDE_TIMING_PROBE"):
    file = open(f"{where}/{os.getpid()}", "w", buffering=1)

    def note(what):
        file.write(f"{time.time()} {what}\\n")

    sys.addaudithook(lambda event, args: event == "import" and note(args[0]))

    class Finder:
        def find_spec(self, name, *_):
            if name != "keras":
                return None
            sys.meta_path.remove(self)
            spec = importlib.util.find_spec(name)
            load = spec.loader.exec_module

            def exec_module(module):
                load(module)
                from tensorflow.python.eager.context import Context

                look = Context._initialize_physical_devices

                def first(*arguments, **named):
                    Context._initialize_physical_devices = look
                    note("devices")
                    return look(*arguments, **named)

                Context._initialize_physical_devices = first

            spec.loader.exec_module = exec_module
            return spec

    sys.meta_path.insert(0, Finder())
"""


def stages_of(file, row):
    """Return what a program did for the first time, and in which stage."""
    ends, end = {}, row["started"].timestamp()
    for stage in STAGE_COLUMNS:
        end += row[stage]
        ends[stage] = end
    found = {}
    for line in file.read_text().splitlines():
        at, what = line.split()
        # The row has its start in milliseconds, so leave out events near an edge.
        at_edge = any(abs(float(at) - end) < 2e-3 for end in ends.values())
        stage = next((x for x, end in ends.items() if float(at) <= end), "after")
        found.setdefault(what, "" if at_edge else stage)
    return {what: stage for what, stage in found.items() if stage}


def test_all_arms_train_the_cells_of_notebook_03(fruits, tmp_path, monkeypatch):
    """Each arm runs once, in the warm-up, and all have the same losses."""
    watched, site = tmp_path / "watched", tmp_path / "site"
    watched.mkdir()
    site.mkdir()
    (site / "sitecustomize.py").write_text(WATCH)
    known = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{known}".rstrip(os.pathsep))
    monkeypatch.setenv("SIDEBYSIDE_WATCHED", str(watched))
    monkeypatch.setattr(
        campaign, "why_enough", lambda *given: "warm-up" if given[1] else ""
    )
    folder = run_campaign(
        "one",
        notebook=NOTEBOOK,
        epochs=1,
        directory=tmp_path,
        progress="lines",
    )
    table = load_campaigns(folder)
    assert table["message"].tolist() == [""] * 4
    assert table["state"].tolist() == ["ok"] * 4
    assert sorted(table["arm"]) == sorted(ARMS)
    for column in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert len(set(table[column])) == 1, column
        assert len(table[column][0]) == 1, column
    for _, row in table.iterrows():
        # The epoch, by Python's clock, is inside the fit, by the arm's own clock.
        assert 0 < row["epoch_seconds"][0] < row["fit_seconds"]
        assert row["import_seconds"] > row["start_seconds"] > 0
        assert 100 < row["peak_memory_mb"] < 2000
    # Without modules that reticulate only looks for.
    files = [x for x in watched.iterdir() if " devices\n" in x.read_text()]
    files.sort(key=lambda x: x.stat().st_mtime)
    assert len(files) == 4
    seen = {
        row["arm"]: stages_of(file, row)
        for file, (_, row) in zip(files, table.iterrows(), strict=True)
    }
    # The same work falls into the same stage in every arm. (What the start of the
    # rpy2 arm loads is known: it has R to start.)
    assert {x["devices"] for x in seen.values()} == {"data_seconds"}
    for arm in ARMS[1:]:
        both = seen[arm].keys() & seen["python"].keys()
        assert len(both) > 500
        other = {
            name: (seen[arm][name], seen["python"][name])
            for name in both
            if seen[arm][name] not in (seen["python"][name], STAGE_COLUMNS[0])
        }
        assert not other, (arm, other)
    machine = json.loads((folder / "machine.json").read_text())
    assert "3 classes, 48 Training and 12 Test images" in machine["data"]
    for arm in ARMS:
        facts = machine["arms"][arm]
        assert facts["keras"] == importlib.metadata.version("keras")
        assert facts["backend"] == "tensorflow"
        assert ("reticulate" in facts) is (arm in ("r", "rpy2"))
    assert machine["arms"]["r"]["dialect"] in ("companion", "keras3")


FITS = """
import numpy as np, tensorflow as tf, keras
x, y = np.zeros((40, 5), "float32"), np.zeros(40)
inputs = keras.Input((5,))
model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
model.compile(loss="mse")
both = keras.Input((5,))
pair = keras.Model([inputs, both], keras.layers.add([inputs, both]))
pair.compile(loss="mse")
data = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
unknown = data.filter(lambda *_: True)
fit = dict(verbose=0, epochs=2)
model.fit(x, y, batch_size=16, **fit)
model.fit(x=x, y=y, validation_data=(x, y), validation_split=0.0, **fit)
model.fit(tf.constant(x), y, batch_size=40, **fit)
pair.fit([x, x], x, batch_size=20, **fit)
model.fit(data, **fit)
model.fit(unknown, **fit)
"""
X, Y = 40 * 5 * 4, 40 * 8


def test_the_size_of_a_training_is_recorded(tmp_path):
    """Keras does not know the length of the last data set."""
    done = run_with_hook(FITS, tmp_path)
    assert done.returncode == 0, done.stderr
    fits = json.loads((tmp_path / "fits.json").read_text())
    assert [x["batches"] for x in fits] == [3, 2, 1, 2, 5, None]
    sizes = [X + Y, 2 * (X + Y), X + Y, 3 * X, 0, 0]
    assert [x["array_bytes"] for x in fits] == sizes


def test_a_campaign_runs_inside_a_notebook_with_r(tmp_path, monkeypatch, start_kernel):
    """Keras and R are loaded there, and reticulate has been used."""
    monkeypatch.setenv("SIDEBYSIDE_FAKE", str(tmp_path))
    monkeypatch.setenv("SIDEBYSIDE_TIMING_LOCK", str(tmp_path / "lock"))
    fakes = Fakes(tmp_path)
    kernel = start_kernel()
    assert kernel.run("%load_ext sidebyside").ok
    reply = kernel.run(
        "from sidebyside.timing import run_campaign\n"
        f"folder = run_campaign('one', notebook={str(fakes.notebook)!r}, blocks=1,\n"
        "    arms=('python', 'r', 'rpy2'), directory="
        f"{str(fakes.campaigns)!r})"
    )
    assert reply.ok, reply.shown
    lines = reply.stdout.splitlines()
    assert [x[:7] for x in lines if " s  " in x] == ["warm-up", "block 1"]
    table = load_campaigns(fakes.campaigns)
    assert table["state"].tolist() == ["ok"] * 6
    # It is the program's memory, although the kernel needs half a gigabyte.
    assert (table["peak_memory_mb"] < 200).all()
