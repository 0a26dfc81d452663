"""Paint fruits: pictures that need no download."""

from .painter import CannotPaint, contact_sheet, paint_fruits

__all__ = ["CannotPaint", "contact_sheet", "paint_fruits"]
