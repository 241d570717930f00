"""Results of other flood models -> floods: NetCDF (CF grids, UGRID, SWW), HEC-RAS, SELAFIN, 2dm with dat, folders of GeoTIFFs."""

from cimdesk.formats.flood_in.reader import READER as READER
