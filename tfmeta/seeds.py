"""Seeds of the parts of a model from one seed."""

from __future__ import annotations

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

    Example:

    ```python
    kernels = [keras.initializers.GlorotUniform(s) for s in spawn_seeds(0, 2)]
    ```
    """
    if seed is None:
        return [None] * count
    entropy = seed if stream is None else [seed, *stream.encode()]
    children = np.random.SeedSequence(entropy).spawn(count)
    return [int(child.generate_state(1)[0]) for child in children]
