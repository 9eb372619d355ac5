"""Learners that adapt by steps of an inner rule on the support."""
