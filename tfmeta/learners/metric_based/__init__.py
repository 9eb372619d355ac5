"""Learners that compare a query with the support in an embedding space."""
