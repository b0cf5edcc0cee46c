"""Thousands of clips: each is lifted once, whichever machine does it, and a run that was killed goes on."""
