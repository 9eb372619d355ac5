"""A table of returns: tasks are environments, and nobody has published numbers."""
