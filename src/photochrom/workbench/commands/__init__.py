"""The command's words that need the workbench."""
