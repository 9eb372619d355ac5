"""Test episodes of three kinds: as usual, of classes alike, and of many classes."""

from __future__ import annotations

import dataclasses

import numpy as np

from tfmeta.datasets import ClassTable
from tfmeta.episodes import Episodes


@dataclasses.dataclass(frozen=True)
class RealisticEpisodes:
    """Episodes to be measured side by side.

    Attributes:
        columns: Episodes by what they are called.
        notes: What was left out, one sentence each.
    """

    columns: dict[str, Episodes]
    notes: tuple[str, ...]


def realistic_episodes(
    table: ClassTable,
    *,
    ways: int = 5,
    shots: int = 1,
    queries: int = 15,
    tasks: int = 1,
    seed: int = 0,
) -> RealisticEpisodes:
    """Uniform episodes, episodes within one group, and episodes of all classes.

    A few classes drawn uniformly from many seldom resemble each other, so that
    the customary episodes are easier than tasks are (Bennequin et al., 2022,
    *Few-Shot Image Classification Benchmarks are Too Far From Reality: Build
    Back Better with Semantic Task Sampling*). Beside them stand episodes whose
    classes all come from one group (one alphabet, one superclass), and episodes
    with as many ways as there are classes of different origin. Classes with
    fewer than `shots + queries` examples are left out.

    Args:
        table: The test classes.
        ways: Classes per task of the first two kinds.
        shots: Support examples per class.
        queries: Query examples per class.
        tasks: Tasks per batch of the first two kinds; the third has one, for its
            tasks are large.
        seed: Seed of the episodes.

    Returns:
        The episodes, and what was left out of them. There is no column for
        groups where the table has none, or none that is large enough.

    Raises:
        ValueError: When the table does not allow the uniform episodes.

    Example:

    ```python
    for name, episodes in realistic_episodes(test_table, ways=5).columns.items():
        print(name, evaluate(learner, episodes, seen_classes=seen).accuracy)
    ```
    """
    notes = []
    needed = shots + queries
    enough = np.flatnonzero(table.class_sizes >= needed)
    # Where none has enough, `Episodes` says so by name.
    if 0 < len(enough) < table.num_classes:
        notes.append(
            f"{table.num_classes - len(enough)} of {table.num_classes} classes have "
            f"fewer than shots + queries = {needed} examples and are left out"
        )
        table = table.take_classes(enough.tolist())
    uniform = Episodes(
        table, ways=ways, shots=shots, queries=queries, tasks=tasks, seed=seed
    )
    columns = {"uniform": uniform}
    level = table.group_level
    if table.groups is None:
        notes.append(f"table {table.name!r} has no groups to draw one from")
    else:
        try:
            alike = Episodes(
                table,
                ways=ways,
                shots=shots,
                queries=queries,
                tasks=tasks,
                seed=seed,
                same_group=True,
            )
        except ValueError as error:
            notes.append(f"no {level} is large enough: {error}")
        else:
            columns[f"same {level}"] = alike
            if alike.left_out_groups:
                notes.append(
                    f"`same {level}` leaves out those with fewer than {ways} classes: "
                    f"{', '.join(alike.left_out_groups)}"
                )
    most = len(set(table.origins))
    columns["all classes"] = Episodes(
        table, ways=most, shots=shots, queries=queries, tasks=1, seed=seed
    )
    return RealisticEpisodes(columns, tuple(notes))
