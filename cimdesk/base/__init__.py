"""Vocabulary shared by every layer: errors, units, reference systems, jobs, signals, translation."""
