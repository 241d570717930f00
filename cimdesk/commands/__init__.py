"""What a user can do, as functions and undoable edits, with no window."""
