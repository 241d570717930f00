"""The demo metropolis: a seeded region of a million buildings on 7,400 km2, written tile by tile as a streamed tileset."""

from __future__ import annotations
