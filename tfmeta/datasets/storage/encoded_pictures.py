"""Pictures that stay encoded until they are read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfmeta.datasets.storage.examples import StoredExamples
from tfmeta.datasets.storage.picture_files import decode_picture_file


class EncodedPictures(StoredExamples):
    """JPEG and PNG files one behind the other, decoded when they are indexed.

    Pillow decodes them here, TensorFlow in the graph of
    `tfmeta.datasets.storage.gathering.make_gather`; pixels are the same.

    Args:
        blob: Uint8 array of shape `(bytes,)`, in memory or a memory map.
        spans: Int64 array of shape `(pictures, 2)`: where the file of each
            picture begins in `blob`, and its end.
        picture_shape: `(height, width, channels)` of every picture, with 1 or
            3 channels.

    Raises:
        ValueError: When the parts do not fit each other.

    Example:

    ```python
    pictures = EncodedPictures.from_files([one.read_bytes()], (84, 84, 3))
    pictures[0].shape, pictures[:1].shape  # (84, 84, 3), (1, 84, 84, 3)
    ```
    """

    def __init__(
        self, blob: np.ndarray, spans: np.ndarray, picture_shape: Sequence[int]
    ) -> None:
        self.blob = blob
        self.spans = np.asarray(spans, np.int64)
        self.picture_shape = tuple(int(n) for n in picture_shape)
        if len(self.picture_shape) != 3 or self.picture_shape[2] not in (1, 3):
            raise ValueError(
                "`picture_shape` must be (height, width, channels) with 1 or 3 "
                f"channels. Received: {self.picture_shape}"
            )
        check_spans(self.spans, len(blob))

    @classmethod
    def from_files(
        cls, files: Sequence[bytes], picture_shape: Sequence[int]
    ) -> EncodedPictures:
        """From the content of the files, in memory."""
        ends = np.cumsum([len(content) for content in files], dtype=np.int64)
        begins = np.concatenate([[0], ends[:-1]])
        blob = np.frombuffer(b"".join(files), np.uint8)
        return cls(blob, np.stack([begins, ends], axis=1), picture_shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """`(pictures, height, width, channels)`."""
        return (len(self.spans), *self.picture_shape)

    @property
    def dtype(self) -> np.dtype:
        """Uint8."""
        return np.dtype(np.uint8)

    def file(self, row: int) -> bytes:
        """The content of the file of one picture."""
        begin, end = self.spans[row]
        return self.blob[begin:end].tobytes()

    def read(self, rows: np.ndarray) -> np.ndarray:
        """The pictures of some rows, decoded."""
        pictures = np.empty((rows.size, *self.picture_shape), np.uint8)
        for place, row in enumerate(rows.ravel()):
            pictures[place] = decode_picture_file(self.file(row), self.shape[-1])
        return pictures.reshape(*rows.shape, *self.picture_shape)

    def __repr__(self) -> str:
        return f"EncodedPictures({len(self)} of shape {self.picture_shape})"


def check_spans(spans: np.ndarray, size: int) -> None:
    """Checks where examples begin and end in a file.

    Args:
        spans: Int array of shape `(examples, 2)`.
        size: Bytes of the file.

    Raises:
        ValueError: When an example lies out of it.
    """
    if spans.ndim != 2 or spans.shape[1] != 2:
        raise ValueError(
            f"`spans` must have shape (examples, 2). Received: {spans.shape}"
        )
    begins, ends = spans.T
    wrong = np.flatnonzero((begins < 0) | (ends < begins) | (ends > size))
    if len(wrong):
        raise ValueError(
            f"`spans` must lie in {size:,} bytes. Received: {begins[wrong[0]]} to "
            f"{ends[wrong[0]]} for row {wrong[0]}"
        )
