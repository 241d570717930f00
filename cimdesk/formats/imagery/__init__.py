"""Pictures of the ground: GeoTIFF and other georeferenced pictures, MBTiles, PMTiles, folders of tiles, vector tiles."""
