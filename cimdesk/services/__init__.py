"""Things that are not local files: tile stores, feeds. They hand bytes to the formats."""
