"""How a trained run is measured: one protocol a file, `registry.py` lists them."""
