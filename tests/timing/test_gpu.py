"""Campaigns on a GPU, with an imitation of `nvidia-smi`: this machine has none."""

import pytest
from sidebyside.timing import CannotRun, gpu, load_campaigns, machine, run_campaign
from sidebyside.timing import plan as plan_module
from sidebyside.timing.run import arms
from timing_fakes import write_notebook

CARDS = """\
GPU 0: NVIDIA H200 (UUID: GPU-aaaa-1)
GPU 1: NVIDIA A100 80GB PCIe (UUID: GPU-bbbb-2)
  MIG 1g.10gb     Device  0: (UUID: MIG-cccc-3)
  MIG 3g.40gb     Device  1: (UUID: MIG-dddd-4)
"""

# Prints the file for this question, and fails if there is none.
NVIDIA_SMI = """\
#!/bin/sh
echo "$*" >> "$0.asked"
case "$*" in
*-L*) cat "$0.cards" ;;
*compute-apps*) cat "$0.pids" ;;
*clocks.sm*) cat "$0.clock" ;;
*driver_version*) cat "$0.driver" ;;
esac
"""


@pytest.fixture
def smi(tmp_path, monkeypatch):
    """Put an `nvidia-smi` with these answers on PATH; it fails for the others."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    folder = tmp_path / "smi"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    program = folder / "nvidia-smi"

    def put(**answers):
        program.write_text(NVIDIA_SMI)
        program.chmod(0o755)
        for name, text in answers.items():
            program.with_suffix(f".{name}").write_text(text)
        return program.with_suffix(".asked")

    return put


@pytest.mark.parametrize(
    ("visible", "name"),
    [
        (None, "NVIDIA H200"),
        ("0", "NVIDIA H200"),
        ("1,0", "NVIDIA A100 80GB PCIe, MIG 1g.10gb"),
        ("GPU-aa", "NVIDIA H200"),
        ("GPU-bbbb-2", "NVIDIA A100 80GB PCIe, MIG 1g.10gb"),
        ("MIG-dddd-4", "NVIDIA A100 80GB PCIe, MIG 3g.40gb"),
        *((x, None) for x in ("-1", "", "2", "GPU-x")),
    ],
)
def test_the_card_is_the_first_visible_one(smi, monkeypatch, visible, name):
    smi(cards=CARDS)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    card = gpu.first_card()
    assert (card and card.name) == name


@pytest.mark.parametrize(
    ("answers", "others", "clock", "state"),
    [
        ({"clock": "1980, P0\n", "pids": ""}, 0, 1980.0, "P0"),
        ({"clock": "345, P8\n", "pids": "12\n1345\n"}, 2, 345.0, "P8"),
        ({"clock": "[N/A], [N/A]\n", "pids": "[N/A]\n"}, None, None, ""),
        ({"clock": "1980, P0\n", "pids": "[Not Supported]"}, None, 1980.0, "P0"),
        ({"clock": "No devices were found\n"}, None, None, ""),
        ({}, None, None, ""),
    ],
)
def test_what_is_measured_of_a_card(smi, answers, others, clock, state):
    asked = smi(**answers)
    card = gpu.Card("1", "X", ("GPU-1",))
    found = gpu.measured(card, "before")
    assert found == {
        "gpu": "X",
        "gpu_others": others,
        "gpu_mhz_before": clock,
        "gpu_state_before": state,
    }
    assert all("--id=1 " in line for line in asked.read_text().splitlines())
    # The larger of the two numbers.
    assert gpu.measured(card, "after", 1)["gpu_others"] == max(1, others or 0)


@pytest.mark.parametrize(
    "answer", ["No devices were found\n", "NVIDIA H200, 550.1, 9 MiB"]
)
def test_the_cards_of_a_machine(smi, answer):
    smi(driver=answer)
    found = [x["name"] for x in machine._gpus()]
    assert found == ["NVIDIA H200"] * ("," in answer)


def test_variables_choose_the_device(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,1")
    monkeypatch.setenv("XLA_FLAGS", "--own")
    names = (
        "CUDA_VISIBLE_DEVICES",
        "JAX_PLATFORMS",
        "XLA_FLAGS",
        "TF_DETERMINISTIC_OPS",
    )

    def chosen(device, backend):
        found = arms.environment(tmp_path, device, probe=False, backend=backend)
        return [found.get(name) for name in names]

    assert chosen("cpu", "tensorflow") == ["-1", None, "--own", None]
    assert chosen("cpu", "jax") == ["-1", "cpu", "--own", None]
    assert chosen("gpu", "tensorflow") == ["3", None, "--own", "1"]
    flags = "--own --xla_gpu_deterministic_ops=true"
    assert chosen("gpu", "jax") == ["3", "cuda,cpu", flags, "1"]


# --- whole campaigns, with imitations of Keras and JAX

KERAS = """\
import jax
class config:
    backend = lambda: "jax"
    floatx = lambda: "float32"
class callbacks:
    class Callback:
        pass
class Variable:
    class value:
        device = jax.DEVICE
class Model:
    variables = [Variable]
    def fit(self, epochs=1, callbacks=None):
        for epoch in range(epochs):
            for callback in callbacks:
                callback.on_epoch_begin(epoch)
                callback.on_epoch_end(epoch, {"loss": 0.5})
        return self
"""
JAX = """\
import os
__version__ = "0.6.2"
DEVICE = "cuda:0"
class Device:
    platform = "gpu"
    device_kind = "NVIDIA H200"
def devices():
    assert os.environ["JAX_PLATFORMS"] == "cuda,cpu"
    return [Device]
"""
NO_BUILD = """\
__version__ = "0.6.2"
DEVICE = "TFRT_CPU_0"
def devices():
    raise RuntimeError("Unable to initialize backend 'cuda'")
"""


@pytest.fixture
def run(fakes, smi, monkeypatch):
    """Run a campaign on a GPU with JAX, whose code is `jax`."""
    write_notebook(
        fakes.notebook,
        python={
            "import": "import os, keras",
            "fit": "history = keras.Model().fit(epochs=epochs)",
        },
    )
    site = fakes.folder / "site"
    site.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setattr(plan_module.importlib.util, "find_spec", lambda name: name)

    def run(jax):
        (site / "keras.py").write_text(KERAS)
        (site / "jax.py").write_text(jax)
        return run_campaign(
            "one",
            notebook=fakes.notebook,
            directory=fakes.campaigns,
            arms=("python", "python-again"),
            blocks=1,
            device="gpu",
            backend="jax",
            progress="none",
        )

    return run


def test_the_rows_name_the_card_and_what_it_did(run, smi, capfd):
    smi(cards=CARDS, clock="1980, P0\n", pids="77\n")
    table = load_campaigns(run(JAX))
    assert set(table["state"]) == {"ok"}
    assert set(table["device"]) == {"gpu"}
    assert set(table["gpu"]) == {"NVIDIA H200"}
    assert set(table["gpu_others"]) == {1}
    for when in ("before", "after"):
        assert set(table[f"gpu_mhz_{when}"]) == {1980}
        assert set(table[f"gpu_state_{when}"]) == {"P0"}
    said = capfd.readouterr().out
    assert "The runs use the GPU NVIDIA H200." in said
    assert "other processes use the GPU: 1" in said


def test_without_nvidia_smi_the_card_has_no_name(run):
    table = load_campaigns(run(JAX))
    assert set(table["state"]) == {"ok"}
    assert set(table["gpu"]) == {""}
    assert table["gpu_others"].isna().all()


def test_a_model_on_the_cpu_is_no_result(run):
    table = load_campaigns(run(JAX.replace("cuda:0", "TFRT_CPU_0")))
    assert set(table["state"]) == {"crashed"}
    assert "not on the GPU: its variables were on TFRT_CPU_0" in table["message"][0]


@pytest.mark.parametrize(
    ("cards", "visible", "words"),
    [
        (None, "0", "No GPU was found: nvidia-smi is missing"),
        ("", "0", "No GPU was found"),
        (CARDS, "-1", r"CUDA_VISIBLE_DEVICES=-1 hides the GPU \(NVIDIA H200, "),
        (CARDS, "0", r"lists the GPU NVIDIA H200, but jax .*\"jax\[cuda12\]==0.6.2\""),
    ],
)
def test_a_campaign_without_a_gpu_does_not_begin(
    run, smi, fakes, monkeypatch, cards, visible, words
):
    if cards is not None:
        smi(cards=cards)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(CannotRun, match=words):
        run(NO_BUILD)
    assert list(fakes.campaigns.iterdir()) == []
