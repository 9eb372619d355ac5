"""The rules of a byte-pair tokenizer as sorted arrays, which a graph can search."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

# Two numbers below this make one key of an int64; code points are below it, too.
KEY_BASE = 1 << 21
CODE_POINTS = 0x110000


@dataclasses.dataclass(frozen=True)
class BytePairRules:
    """What a byte-pair tokenizer with a fallback to bytes knows.

    Args:
        num_tokens: Number of tokens.
        characters: Code points that are tokens, sorted, `(characters,)` int32.
        character_tokens: The token of each of them, int32.
        byte_tokens: The token of each byte, `(256,)` int32.
        neighbours: Pairs of code points that stand side by side in some token that a
            merge gives, sorted, `first * KEY_BASE + second`, int64.
        pairs: Pairs of tokens that are merged, sorted, likewise, `(merges,)` int64.
        pair_ranks: Which merge of all each of them is: lower ones go first, int32.
        pair_tokens: The token that it gives, int32.

    Example:

    ```python
    tokens = {**{f"<0x{b:02X}>": b for b in range(256)}, "a": 256, "b": 257, "ab": 258}
    rules = make_rules(tokens, [("a", "b")])
    rules.pair_tokens  # [258]
    ```
    """

    num_tokens: int
    characters: np.ndarray
    character_tokens: np.ndarray
    byte_tokens: np.ndarray
    neighbours: np.ndarray
    pairs: np.ndarray
    pair_ranks: np.ndarray
    pair_tokens: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays by name."""
        fields = [field.name for field in dataclasses.fields(self)]
        return {name: getattr(self, name) for name in fields if name != "num_tokens"}


def make_rules(
    vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]]
) -> BytePairRules:
    """Rules from a vocabulary and a list of merges.

    Args:
        vocabulary: Number of each token, from 0 on without a gap. Every byte has one,
            `"<0x00>"` to `"<0xFF>"`.
        merges: Pairs of tokens to merge, the first one first.

    Raises:
        ValueError: When they are not that.

    Example: see `BytePairRules`.
    """
    numbers = list(vocabulary.values())
    if (
        any(type(number) is not int for number in numbers)
        or sorted(numbers) != list(range(len(numbers)))
        or len(numbers) + CODE_POINTS > KEY_BASE
    ):
        raise ValueError(
            "`vocabulary` must number its tokens from 0 on without a gap, at most "
            f"{KEY_BASE - CODE_POINTS:,}. Received: {len(numbers):,} tokens, "
            f"{len(set(map(str, numbers))):,} different numbers"
        )
    names = [f"<0x{byte:02X}>" for byte in range(256)]
    missing = [name for name in names if name not in vocabulary]
    if missing:
        raise ValueError(
            "`vocabulary` must hold a token for every byte, '<0x00>' to '<0xFF>'. "
            f"Received: none for {', '.join(missing[:5])}"
        )
    for pair in merges:
        if len(pair) != 2 or not {*pair, "".join(pair)} <= vocabulary.keys():
            raise ValueError(
                "`merges` must be pairs of tokens that make a token. Received: "
                f"{pair!r}"
            )
    if len({tuple(pair) for pair in merges}) != len(merges):
        raise ValueError("`merges` must differ. Received: a pair more than once")
    characters = sorted(ord(token) for token in vocabulary if len(token) == 1)
    neighbours = {
        ord(a) * KEY_BASE + ord(b)
        for first, second in merges
        for a, b in zip(first + second, (first + second)[1:], strict=False)
    }
    keys = np.array(
        [vocabulary[a] * KEY_BASE + vocabulary[b] for a, b in merges], np.int64
    )
    order = np.argsort(keys)
    given = np.array([vocabulary[a + b] for a, b in merges], np.int32)
    return BytePairRules(
        num_tokens=len(numbers),
        characters=np.array(characters, np.int32),
        character_tokens=np.array([vocabulary[chr(c)] for c in characters], np.int32),
        byte_tokens=np.array([vocabulary[name] for name in names], np.int32),
        neighbours=np.array(sorted(neighbours), np.int64),
        pairs=keys[order],
        pair_ranks=order.astype(np.int32),
        pair_tokens=given[order],
    )
