"""The features: one folder each, which touches nothing else."""

from __future__ import annotations

__all__: list[str] = []
