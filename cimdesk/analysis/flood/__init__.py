"""Surface flooding: rain to rate series, the shallow-water run, hazard classes, and the grid they share."""
