"""Errors, files, versions and colours. All other parts of the package use them."""
