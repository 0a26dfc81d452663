"""What the measurements say: pairs of runs, estimates, and a verdict."""

from .cost_model import cost_model
from .estimates import CannotSay, resamples, sign_flips, standard_normals
from .pairs import plain_words
from .report import write_report

# The functions, from here on: importing their modules again changes nothing.
from .verdict import main_campaigns, verdict

__all__ = [
    "CannotSay",
    "cost_model",
    "main_campaigns",
    "plain_words",
    "resamples",
    "sign_flips",
    "standard_normals",
    "verdict",
    "write_report",
]
