"""The one compiled part; everything else is in pyproject.toml.

Optional: where there is no compiler (conda), reticulate is new enough to start
without it.
"""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "sidebyside.kernel._finalizer",
            sources=["sidebyside/kernel/_finalizer.c"],
            optional=True,
        )
    ]
)
