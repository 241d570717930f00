"""One module per file format: bytes to model objects and, where it makes sense, back."""
