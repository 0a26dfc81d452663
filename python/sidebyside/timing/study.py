"""Measure several networks in one study, whose blocks take turns.

A study is a folder with `study.json` and an ordinary campaign for each network. Every
block runs each network once, in random order. Within a network its arms run one after
the other, in random order, too: R and Python of one network are a pair, and the same
other programs should run beside both.
"""

from __future__ import annotations

import importlib.util
import os
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..common.files import project_directory
from . import format as layout
from . import reading
from .campaign import Campaign, Clock, go_on, is_unfinished, new_folder, said_if_full
from .cells import read_programs
from .format import StudyPlan
from .loader import as_path
from .locks import machine_lock
from .networks import NETWORKS
from .plan import SEED, Settings, WrongPlan, check_name, make_plan
from .progress import Progress, choose

BLOCKS = 12
# The short study, for a class: each network once at each of its lengths and batch
# sizes.
SHORT = Settings(blocks=4, arms=("python", "r"))

DESIGN = (
    "several networks, each with its own campaign; every block runs each network once, "
    "in random order, with the arms of a network one after the other"
)


def run_study(
    name: str,
    networks: Sequence[str] | None = None,
    *,
    directory: str | Path | None = None,
    progress: str | Progress | None = None,
    began: float | None = None,
    **settings: Any,
) -> Path:
    """Measure several networks, with their blocks in turn.

    Parameters
    ----------
    name
        Name of the study and of its folder. Each campaign in it has this name, a
        hyphen and the network's name.
    networks
        Some of `networks.NETWORKS`. None: all that the backend can train here.
    directory, progress, began
        As for `run_campaign()`.
    settings
        Those of `Settings`, without epochs and precision: each network has two
        lengths and up to two batch sizes of its own. `blocks` is 12 by default, so
        that each combination runs equally often. `budget` is for the whole study.

    Returns
    -------
    Path
        The study's folder, for `load_campaigns()`.

    Raises
    ------
    WrongPlan, NoProgram, CannotRun, AnotherCampaign, Stopped
        As for `run_campaign()`.
    """
    clock, shown = Clock(began), choose(progress)
    for x in ("epochs", "precision"):
        if settings.get(x) is not None:
            raise WrongPlan(
                f"{x} cannot be chosen for several networks: each has its own numbers "
                "of epochs, and all have the same number of blocks. Leave it out."
            )
    settings = {"seed": SEED, **settings}
    if settings.get("blocks") is None:
        settings["blocks"] = BLOCKS
    settings["arms"] = tuple(settings.get("arms", layout.ARMS))
    check_name(name)
    chosen = Settings(**settings)
    chosen.check()
    unable = _unable(chosen.chosen_backend())
    if networks is None:
        networks = [x for x in NETWORKS if x not in unable]
        for why in unable.values():
            shown.say(f"Left out: {why}.")
    networks = _known(networks, unable)
    folder = new_folder(name, directory)
    chance = random.Random(f"{settings['seed']}")
    campaigns = {
        network: _new_campaign(
            folder, network, clock, shown, settings | {"seed": chance.randrange(10**6)}
        )
        for network in networks
    }
    study = StudyPlan(
        study=name,
        created=layout.now(),
        design=DESIGN,
        networks=tuple(campaigns),
        order=tuple(
            tuple(chance.sample(list(campaigns), len(campaigns)))
            for _ in range(settings["blocks"] + 1)
        ),
    )
    with machine_lock(name), said_if_full(folder):
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            raise WrongPlan(f"{folder} already exists. Choose another name.") from None
        try:
            machine = None
            for x in campaigns.values():
                x.folder.mkdir()
                machine = x.prepare(machine)
            # Written last, because this file makes the folder a study.
            layout.write_study(folder, study)
        except BaseException:
            # Nothing was measured.
            shutil.rmtree(folder, ignore_errors=True)
            raise
        _go_on(study, campaigns)
    return folder


def _known(networks: Sequence[str], unable: dict[str, str]) -> list[str]:
    """Return the networks in their usual order.

    `WrongPlan` if one is not known, or is one of `unable`.
    """
    unknown = [x for x in networks if x not in NETWORKS]
    if unknown or not networks:
        raise WrongPlan(
            f"Found the networks {', '.join(map(str, networks)) or '(none)'}; expected "
            f"all, or some of {', '.join(NETWORKS)}."
        )
    if reasons := [unable[x] for x in networks if x in unable]:
        able = [x for x in NETWORKS if x not in unable]
        rest = [x for x in networks if x in able] or able
        raise WrongPlan(
            f"{'; '.join(reasons)}. Leave it out: --networks {','.join(rest)}"
        )
    return [x for x in NETWORKS if x in networks]


def _unable(backend: str) -> dict[str, str]:
    """Return the networks that cannot have this backend here, and why."""
    if backend == "tensorflow":
        return {}
    found = {}
    for name, network in NETWORKS.items():
        cannot = f"{name} cannot run on {backend}, because"
        if network.only_tensorflow:
            found[name] = f"{cannot} the program calls TensorFlow itself"
        elif network.tensorflow_data and not importlib.util.find_spec("tensorflow"):
            found[name] = f"{cannot} its data set needs TensorFlow, which is missing"
    return found


def _new_campaign(
    folder: Path,
    network: str,
    clock: Clock,
    shown: Progress,
    settings: dict[str, Any],
) -> Campaign:
    project, known = project_directory(), NETWORKS[network]
    if project is None:
        raise WrongPlan(
            "This installation has no project folder, and the networks are in its "
            "notebooks. Run the study in a copy of the project."
        )
    path = project / "notebooks" / known.notebook
    programs, name = read_programs(path), layout.campaign_of(folder.name, network)
    plan = make_plan(
        name,
        path,
        programs,
        Settings(**settings),
        network=network,
        lengths=known.epochs,
        batch_sizes=known.batch_sizes,
    )
    place = folder / name
    return Campaign(place, plan, programs, path.parent, [], shown, clock, folder)


def _go_on(study: StudyPlan, campaigns: dict[str, Campaign]) -> None:
    order = [[campaigns[network] for network in block] for block in study.order]
    go_on(list(campaigns.values()), order)


def resume_study(
    path: str | Path,
    *,
    progress: str | Progress | None = None,
    began: float | None = None,
) -> Path:
    """Resume a study that was interrupted, where it stopped.

    Raises the errors of `resume_campaign()`. `WrongRuns` also if a network's campaign
    is missing.
    """
    clock, shown = Clock(began), choose(progress)
    folder = as_path(path).resolve()
    study, places = reading.read_study(folder)
    if not any(map(is_unfinished, places.values())):
        shown.say(f"{study.study} is finished; there is nothing to do.")
        return folder
    with machine_lock(study.study), said_if_full(folder):
        campaigns = {
            network: Campaign.reopened(place, shown, clock, folder)
            for network, place in places.items()
        }
        busy = None
        for x in campaigns.values():
            busy = x.prepare_again(busy)
        _go_on(study, campaigns)
    return folder


def study_at(path: str | Path) -> Path | None:
    """Return the study at a path, or the one to which a campaign there belongs.

    None if there is none.
    """
    folder = Path(os.path.abspath(as_path(path)))
    if os.path.isfile(folder / layout.RUNS):
        folder = folder.parent
    return folder if reading.is_study(folder) else None
