"""The oldest versions that work together, and what follows from them.

Constants only, in a syntax that Python 3.8 understands: `tools/setup_decisions.py`
reads this file before anything is installed. `sidebyside.kernel.preflight` reads
it too, and a test compares it with pyproject.toml and requirements.in.
"""

# Oldest and newest Python.
PYTHON = ("3.11", "3.13")

R = "4.2"
RETICULATE = "1.28"

# From reticulate's NEWS: the first release that works with each Python, and the
# first that takes NumPy 2 (older ones: "incompatible NumPy binary version").
RETICULATE_FOR_PYTHON = {"3.11": "1.28", "3.12": "1.33", "3.13": "1.40"}
RETICULATE_FOR_NUMPY_2 = "1.38"

# Older versions free Python objects without Python's lock (see kernel/_finalizer.c).
RETICULATE_WITH_SAFE_FINALIZER = "1.31"

# Python packages. rpy2-rinterface 3.6.6 and later need R 4.5, so requirements.in
# pins its two parts.
PACKAGES = {
    "numpy": "1.26",
    "keras": "3.15",
    "tensorflow": "2.21",
    "rpy2-rinterface": "3.6.5",
    "rpy2-robjects": "3.6.4",
}

# Memory that a notebook needs, in GB (1e9 bytes).
MEMORY_GB = 2.0
