"""Runs whose tasks are environments."""
