"""Sentences grouped by intent: CLINC150 and BANKING77."""
