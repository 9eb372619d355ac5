"""Molecules grouped by assay and outcome: Tox21 and SIDER."""
