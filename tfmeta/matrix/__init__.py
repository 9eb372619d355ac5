"""Encoders against domains: the accuracy of each on the unseen classes of each."""
