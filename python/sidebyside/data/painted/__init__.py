"""Painted fruits: the pictures that everybody has."""

from .painter import CannotPaint, contact_sheet, paint_fruits

__all__ = ["CannotPaint", "contact_sheet", "paint_fruits"]
