"""R and Python side by side, in one kernel and one process."""

__version__ = "0.1.0"
