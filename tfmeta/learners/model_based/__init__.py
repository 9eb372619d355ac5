"""Learners whose state is a memory: they read a support as a network reads a text.

A subclass of `SequenceLearner` says how one labelled example changes the state, and
what a state makes of an example without a label.
"""
