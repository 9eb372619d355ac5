"""Your own data: folders, CSV files, and anything that TFDS knows by name."""
