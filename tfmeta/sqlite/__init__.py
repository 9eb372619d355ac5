"""SQLite files that lose no change, neither by a kill nor by a loss of power.

`Transactions` reads and writes a file whose tables a `Schema` says; `make_database`
makes one, and `new_folder` the folder around it. Needs no TensorFlow.
"""
