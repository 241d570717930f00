"""Floods to files that other programs read: NetCDF-CF and Zarr, GeoTIFF and COG, outlines of classes."""
