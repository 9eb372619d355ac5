"""Generated characters in alphabets: no file, no connection."""
