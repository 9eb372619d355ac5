"""Examples that do not lie in memory as arrays, and tables on disk."""
