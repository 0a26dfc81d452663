"""The timing experiment: run and measure the timed cells of a notebook.

The command `python -m sidebyside.timing` does the same. Importing this package
loads neither Keras nor R.
"""

from __future__ import annotations

from .campaign import Stopped, resume_campaign, run_campaign
from .cells import NoProgram
from .collecting import collect
from .format import ARMS, BACKENDS, COLUMNS, DEVICES, STATES, WrongRuns
from .loader import NoTimings, load_campaigns, load_studies
from .locks import AnotherCampaign
from .plan import Settings, WrongPlan, default_notebook
from .ratio import Ratio, paired_ratio
from .report import describe_machines
from .run.arms import CannotRun
from .run.interleaved import Epochs, Interrupted, interleave
from .sharing import NotClean, contribute, hand_in
from .study import resume_study, run_study

__all__ = [
    "ARMS",
    "BACKENDS",
    "COLUMNS",
    "DEVICES",
    "STATES",
    "AnotherCampaign",
    "CannotRun",
    "Epochs",
    "Interrupted",
    "NoProgram",
    "NoTimings",
    "NotClean",
    "Ratio",
    "Settings",
    "Stopped",
    "WrongPlan",
    "WrongRuns",
    "collect",
    "contribute",
    "default_notebook",
    "describe_machines",
    "hand_in",
    "interleave",
    "load_campaigns",
    "load_studies",
    "paired_ratio",
    "resume_campaign",
    "resume_study",
    "run_campaign",
    "run_study",
]
