"""Seeds of the parts of a model from one seed."""

from __future__ import annotations

from numbers import Integral

import numpy as np


def spawn_seeds(
    seed: int | None, count: int, *, stream: str | None = None
) -> list[int | None]:
    """Seeds whose streams neither neighbouring seeds nor other parts share.

    Args:
        seed: Seed of the model, at least 0, or `None` for no seeds.
        count: How many are needed.
        stream: Name of the part. An encoder and what stands behind it often get
            one seed: without names the first weights of both would be drawn from
            the same numbers.

    Returns:
        `count` seeds, or as many `None`.

    Raises:
        ValueError: When the seed is none.

    Example:

    ```python
    kernels = [keras.initializers.GlorotUniform(s) for s in spawn_seeds(0, 2)]
    ```
    """
    if seed is None:
        return [None] * count
    if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
        raise ValueError(
            f"`seed` must be an int of at least 0, or None. Received: seed={seed!r}"
        )
    entropy = seed if stream is None else [seed, *stream.encode()]
    children = np.random.SeedSequence(entropy).spawn(count)
    return [int(child.generate_state(1)[0]) for child in children]
