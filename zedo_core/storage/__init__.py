"""Files: written whole or not at all, read within bounds, never executed; one run at a time in a folder."""
