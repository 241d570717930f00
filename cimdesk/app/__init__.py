"""Composition root: builds the objects, owns nothing else."""
