"""The straight line from inputs to files: one input (`run`), several (`batch`), or a camera (`live`)."""
