"""Numerics on arrays: no input or output, no drawing; the same input gives the same bytes."""
