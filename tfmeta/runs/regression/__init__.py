"""Runs of regression: of rows by task, where others have examples by class."""
