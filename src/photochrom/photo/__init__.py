"""Pictures on disk: the only room that imports pyvips."""
