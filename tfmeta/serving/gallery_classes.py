"""The classes of a gallery, which clients change."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfmeta.gallery import Change
from tfmeta.gallery.gallery import Gallery
from tfmeta.gallery.records import FactsChangedError
from tfmeta.serving.deadline import check_deadline, out_of_time, seconds_left
from tfmeta.serving.example_form import Example
from tfmeta.serving.refusals import Refusal, not_there


class GalleryClasses:
    """The classes of a gallery; an `EnrolledClasses`.

    Args:
        gallery: The gallery, which is open.
    """

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        # Between what is there and what is added nobody else adds.
        self._one = threading.Semaphore()

    def enrol(self, classes: Mapping[str, Sequence[Example]]) -> dict[str, Any]:
        """As of `EnrolledClasses`."""
        if not self._one.acquire(timeout=seconds_left()):
            raise out_of_time()
        try:
            new = self._gallery.not_enrolled(classes)
            given = sum(map(len, classes.values()))
            added = sum(map(len, new.values()))
            change = None
            if added:
                some = {name: examples for name, examples in new.items() if examples}
                check_deadline()
                change = _changed(lambda: self._gallery.enrol(some))
        finally:
            self._one.release()
        return {
            "change": change,
            "enrolled": added,
            "passed_over": given - added,
            "classes": {name: self._size_of(name) for name in new},
        }

    def rename(self, name: str, to: str) -> dict[str, Any]:
        """As of `EnrolledClasses`."""
        return {"change": _changed(lambda: self._gallery.rename(name, to))}

    def forget(self, name: str, examples: Sequence[int] | None) -> dict[str, Any]:
        """As of `EnrolledClasses`."""
        return {"change": _changed(lambda: self._gallery.forget(name, examples))}

    def examples_of(self, name: str) -> list[dict[str, Any]]:
        """As of `EnrolledClasses`."""
        try:
            found = self._gallery.examples_of(name)
        except KeyError as error:
            raise not_there(error) from error
        return [{"id": one.id, "source": one.source} for one in found]

    def _size_of(self, name: str) -> int:
        try:
            return len(self._gallery.examples_of(name))
        except KeyError:  # Somebody has forgotten it meanwhile.
            return 0


def _changed(make: Callable[[], Change]) -> dict[str, Any]:
    try:
        change = make()
    except KeyError as error:
        raise not_there(error) from error
    except FactsChangedError as error:
        raise Refusal(409, str(error), retry_after=1) from error
    found = dataclasses.asdict(change)
    del found["undone"]
    return found
