"""Published tables, reproduced: from a row's settings to a table of figures."""
