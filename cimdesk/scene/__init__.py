"""Model to VTK: everything drawn. Runs off-screen, without Qt."""
