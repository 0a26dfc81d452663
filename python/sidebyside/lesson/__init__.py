"""Functions that the cells of a notebook call."""
