"""JSON files as strangers and slips of an editor leave them: seeded, and many."""

import copy
import json
import random

DEEP = "@deep@"
# In place of any value; JSON has no more kinds.
OTHERS = [
    *(None, True, 0, -1, 3.5, 10**400, -(2**40), 1e300, "", "x", "../../x", [], {}),
    *([[]], [None], {"": None}, {"x": [1, "y"]}, [1] * 3, "ä字\n\x1b[31m", DEEP),
]

WHOLE = {
    "empty": b"",
    "cut": b'{"format_version": 1, "con',
    "no JSON": b"<html>\n<b>no</b>\n</html>",
    "no text": b"\xff\xfe\x00\x80",
    "deep": b"[" * 100_000,
    "a long number": b"1" * 6000,
    "a number": b"7",
    "a list": b"[]",
    "a mapping": b"{}",
}


def places(value, path=()):
    """Keys and indices that lead to each part of a value, but few of a long list."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for index in sorted({0, len(value) - 1} & set(range(len(value)))):
            yield from places(value[index], (*path, index))


def changed_values(value, seed, count):
    """Copies of a value, each with one or two parts removed or replaced."""
    rng = random.Random(seed)
    there = list(places(value))[1:]
    for _ in range(count):
        copied = copy.deepcopy(value)
        for path in rng.sample(there, min(len(there), rng.choice([1, 1, 1, 2]))):
            _change(copied, path, rng)
        yield copied


def _change(value, path, rng):
    *above, last = path
    try:
        for key in above:
            value = value[key]
        if rng.random() < 0.25:
            del value[last]
        else:
            value[last] = rng.choice(OTHERS)
    except (KeyError, IndexError, TypeError):
        pass  # The other change took away what was above.


def text_of(value):
    """The value as JSON, with what nests too deep for any reader."""
    deep = "[" * 3000 + "]" * 3000
    return json.dumps(value).replace(f'"{DEEP}"', deep)
