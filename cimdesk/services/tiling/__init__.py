"""A city model of any size -> 3D Tiles 1.1: scattered over the disk by place, then built from the finest tiles upwards."""
