"""Qt only: shows state and turns gestures into commands."""
