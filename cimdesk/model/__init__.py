"""What a city is: plain Python and numpy. No Qt, no VTK, no file formats."""
