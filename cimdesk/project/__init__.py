"""The saved document: one GeoPackage that other GIS software opens too."""
