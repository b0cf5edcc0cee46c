"""Training of any network: one loop for the `Task` of a method, and training poses from motion capture."""
