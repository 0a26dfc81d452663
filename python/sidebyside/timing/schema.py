"""The old name of what `format` knows; goes when nothing imports it."""

from .format import (  # noqa: F401
    ARMS,
    COLUMNS,
    COMPLETE,
    DEVICES,
    END,
    EPOCH_COLUMNS,
    FIRST_ARM,
    MACHINE,
    MOST_SECONDS,
    PLAN,
    REAL,
    REQUIRED,
    RUNS,
    STAGE_COLUMNS,
    STATES,
    WHOLE,
    Problem,
    WrongRuns,
)
