"""What the measurements say: pairs of runs, estimates, and a verdict."""

from .estimates import CannotSay, resamples, sign_flips, standard_normals
from .pairs import plain_words
from .report import write_report

# The function, from here on: importing its module again changes nothing.
from .verdict import main_campaigns, verdict

__all__ = [
    "CannotSay",
    "main_campaigns",
    "plain_words",
    "resamples",
    "sign_flips",
    "standard_normals",
    "verdict",
    "write_report",
]
