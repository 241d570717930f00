"""The demo city: a seeded, plausible river district in ordinary files, and the project that shows every feature with it."""
