"""What the frames of a track know of each other: the choice of a hypothesis, one size, gaps, smoothness, up."""
