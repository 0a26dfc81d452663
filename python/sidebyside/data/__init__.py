"""The data sets: found, fetched or painted."""
