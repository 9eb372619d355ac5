"""A page in the browser on which classes are taught by a few examples.

What is drawn becomes a picture of the kind that a run knows (`drawings.py`), what is
asked is checked in words of the page (`asked.py`), and it is answered by a run or by a
pre-trained encoder (`by_run.py`, `by_encoder.py`), as `tfmeta classify` does. The page
(`page.py`) is of Gradio, and asks nobody but its own server (`server.py`). Needs the
extra `demo`.
"""

from tfmeta.submodules import on_demand

__getattr__ = on_demand(__name__)
