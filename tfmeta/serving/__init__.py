"""Models over HTTP: a run, a gallery or a SavedModel, for several clients at once.

What answers is a `Model` (`model.py`), over a gallery (`gallery_model.py`) or a
SavedModel (`saved_model.py`), whose newest version is taken up while it is served
(`versions.py`). Requests are decoded (`body.py`, `example_form.py`), bounded
(`limits.py`, `deadline.py`), joined where that changes no answer (`batching.py`), and
answered in a worker thread (`service.py`) by the routes of tfmeta (`routes.py`) and of
the open inference protocol (`v2_routes.py`). Needs the extra `serve`.
"""

from tfmeta.submodules import on_demand

__getattr__ = on_demand(__name__)
