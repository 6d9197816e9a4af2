"""The features: one folder each, which touches nothing else."""
