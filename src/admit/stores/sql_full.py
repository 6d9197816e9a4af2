"""What a database says when its disk is full."""

from __future__ import annotations

from admit.errors import StoreError

__all__ = ["FullError"]


class FullError(StoreError):
    """The disk is full: nothing can be added, but what is there can be read and removed."""
