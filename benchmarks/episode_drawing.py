"""Episodes drawn per second, and what live episodes cost a training step.

The first three tables draw batches of 5-way 1-shot episodes with 15 queries
from 4,112 classes of 20 pictures (28 x 28, uint8) in memory, the size of
Omniglot's training split. The last one trains through `fit`: what a step takes
on episodes that are drawn meanwhile, over a step on one batch that is cached.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
import time
import types
from typing import Any

import numpy as np
from interleaved import (
    LEAD_IN,
    Contestant,
    Measure,
    Turn,
    compete,
    start_tensorflow,
    start_torch,
    timed,
    turn_of,
)
from report import goal, line_of, parse_arguments, show_goals, show_group, write_result

NAME = "episode_drawing"
CLASSES, EXAMPLES = 4112, 20
WAYS, SHOTS, QUERIES = 5, 1, 15
TASKS = (1, 4, 16)
GOAL_RATE, GOAL_RATIO, GOAL_COST = 15_000, 10.0, 0.05

OURS = "tfmeta"
LEARN2LEARN = "learn2learn"
LEARN2LEARN_SPLIT = "learn2learn, split by partition_task"
NUMPY = "NumPy, loop over tasks and classes"
TORCH = "PyTorch, vectorised by hand"

CACHED = "one cached batch"
LIVE = "live episodes"
AUGMENTED = "live episodes with RandomAffine"


def make_pictures() -> np.ndarray:
    """Uint8 `(classes * examples, 28, 28, 1)`, grouped by class."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (CLASSES * EXAMPLES, 28, 28, 1), np.uint8)


def make_table() -> Any:
    """The pictures as a `ClassTable`."""
    from tfmeta.datasets import ClassTable

    return ClassTable(
        name="random",
        examples=make_pictures(),
        offsets=np.arange(CLASSES + 1) * EXAMPLES,
        class_names=tuple(f"class {c}" for c in range(CLASSES)),
    )


def tensorflow_drawing(*, threads: int, tasks: int) -> tuple[Measure, dict[str, Any]]:
    """`Episodes.as_dataset`, iterated from Python."""
    tf = start_tensorflow(threads)
    from tfmeta.episodes import Episodes

    episodes = Episodes(
        make_table(), ways=WAYS, shots=SHOTS, queries=QUERIES, tasks=tasks
    )
    batches = iter(episodes.as_dataset())
    next(batches)
    facts = {"versions": {"tensorflow": tf.__version__}}
    return timed(lambda: next(batches), tasks), facts


def learn2learn_drawing(
    *, threads: int, tasks: int, split: bool
) -> tuple[Measure, dict[str, Any]]:
    """learn2learn's fused sampler, one task after the other.

    A task comes as one set of pictures and labels; `split` has learn2learn's
    own function part it into support and query, as the others' tasks are.
    """
    torch = start_torch(threads)
    from torch.utils.data import Dataset

    data = _import_learn2learn_data()
    examples = list(torch.from_numpy(make_pictures()))
    # Ints, as torchvision's data sets give them: tensors are slower.
    labels = np.repeat(np.arange(CLASSES), EXAMPLES).tolist()

    class Pictures(Dataset):
        def __getitem__(self, row: int) -> tuple[Any, int]:
            return examples[row], labels[row]

        def __len__(self) -> int:
            return len(examples)

    dataset = data.MetaDataset(Pictures())
    transforms = [
        data.transforms.FusedNWaysKShots(dataset, n=WAYS, k=SHOTS + QUERIES),
        data.transforms.LoadData(dataset),
        data.transforms.RemapLabels(dataset),
        data.transforms.ConsecutiveLabels(dataset),
    ]
    taskset = data.Taskset(dataset, transforms, num_tasks=-1)
    drawn, _ = taskset.sample()
    assert drawn.shape == (WAYS * (SHOTS + QUERIES), 28, 28, 1)
    versions = {
        "torch": torch.__version__,
        "learn2learn": importlib.metadata.version("learn2learn"),
    }

    def draw() -> list[Any]:
        drawn = [taskset.sample() for _ in range(tasks)]
        if split:
            return [data.partition_task(*task, shots=SHOTS) for task in drawn]
        return drawn

    return timed(draw, tasks), {"versions": versions}


def _import_learn2learn_data() -> types.ModuleType:
    """`learn2learn.data`, without the environments and data sets beside it.

    `import learn2learn` needs gym and a torchvision that fits; the sampler needs
    neither.
    """
    found = importlib.util.find_spec("learn2learn")
    if found is None or found.submodule_search_locations is None:
        raise ImportError("learn2learn is not installed")
    package = types.ModuleType("learn2learn")
    package.__path__ = list(found.submodule_search_locations)
    sys.modules["learn2learn"] = package
    return importlib.import_module("learn2learn.data")


def numpy_drawing(*, threads: int, tasks: int) -> tuple[Measure, dict[str, Any]]:
    """The plain loop that people write."""
    del threads
    pictures = make_pictures()
    rng = np.random.default_rng(0)
    support_labels = np.repeat(np.arange(WAYS), SHOTS)
    query_labels = np.repeat(np.arange(WAYS), QUERIES)

    def draw() -> tuple[np.ndarray, ...]:
        support, query = [], []
        for _ in range(tasks):
            rows = []
            for class_id in rng.choice(CLASSES, WAYS, replace=False):
                picks = rng.choice(EXAMPLES, SHOTS + QUERIES, replace=False)
                rows.append(class_id * EXAMPLES + picks)
            chosen = np.stack(rows)
            support.append(pictures[chosen[:, :SHOTS].ravel()])
            query.append(pictures[chosen[:, SHOTS:].ravel()])
        return (
            np.stack(support),
            np.stack([support_labels] * tasks),
            np.stack(query),
            np.stack([query_labels] * tasks),
        )

    assert draw()[2].shape == (tasks, WAYS * QUERIES, 28, 28, 1)
    return timed(draw, tasks), {"versions": {"numpy": np.__version__}}


def torch_drawing(*, threads: int, tasks: int) -> tuple[Measure, dict[str, Any]]:
    """All tasks of a batch by two `topk` and two gathers."""
    torch = start_torch(threads)
    pictures = torch.from_numpy(make_pictures())
    support_labels = torch.arange(WAYS).repeat_interleave(SHOTS).repeat(tasks, 1)
    query_labels = torch.arange(WAYS).repeat_interleave(QUERIES).repeat(tasks, 1)

    def draw() -> tuple[Any, ...]:
        classes = torch.rand(tasks, CLASSES).topk(WAYS).indices
        picks = torch.rand(tasks, WAYS, EXAMPLES).topk(SHOTS + QUERIES).indices
        rows = classes[:, :, None] * EXAMPLES + picks
        support = pictures[rows[:, :, :SHOTS].flatten(1)]
        query = pictures[rows[:, :, SHOTS:].flatten(1)]
        return support, support_labels, query, query_labels

    assert draw()[2].shape == (tasks, WAYS * QUERIES, 28, 28, 1)
    return timed(draw, tasks), {"versions": {"torch": torch.__version__}}


def training(*, threads: int, source: str) -> tuple[Measure, dict[str, Any]]:
    """Steps of one `fit` per turn, 60-way 1-shot with 5 queries."""
    tf = start_tensorflow(threads)
    import keras

    from tfmeta.encoders import Conv4
    from tfmeta.episodes import Episodes, RandomAffine
    from tfmeta.learners import PrototypicalNetwork

    episodes = Episodes(
        make_table(),
        ways=60,
        shots=1,
        queries=5,
        augment=RandomAffine() if source == AUGMENTED else None,
    )
    if source == CACHED:
        batch = episodes.batch(0)
        dataset = tf.data.Dataset.from_tensors(batch).cache().repeat()
    else:
        dataset = episodes.as_dataset()
    learner = PrototypicalNetwork(Conv4(seed=0))
    learner.compile(keras.optimizers.Adam(1e-3))

    class Clock(keras.callbacks.Callback):
        """Notes when steps end, and stops `fit` when the turn is over."""

        def __init__(self, seconds: float) -> None:
            super().__init__()
            self.seconds = seconds
            self.marks: list[float] = []
            self._until = 0.0

        def on_train_begin(self, logs: dict | None = None) -> None:
            self._until = time.perf_counter() + LEAD_IN * self.seconds

        def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
            now = time.perf_counter()
            if now >= self._until:
                self.marks.append(now)
            if self.marks and now - self.marks[0] >= self.seconds:
                self.model.stop_training = True

    def measure(seconds: float) -> Turn:
        clock = Clock(seconds)
        learner.fit(
            dataset,
            steps_per_epoch=1_000_000,
            callbacks=[clock],
            shuffle=False,
            verbose=0,
        )
        return turn_of(clock.marks, 1)

    learner.fit(dataset, steps_per_epoch=1, shuffle=False, verbose=0)
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
    return measure, {"versions": versions}


def main() -> None:
    """Measures all four tables and writes the result."""
    arguments = parse_arguments(__doc__ or "", name=NAME, rounds=9, seconds=3.0)
    settings = {
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "threads": arguments.threads,
    }
    groups, goals = [], []
    for tasks in TASKS:
        group = compete(
            f"{WAYS}-way {SHOTS}-shot, {QUERIES} queries, tasks a batch: {tasks}",
            "episodes/s",
            [
                Contestant(OURS, tensorflow_drawing, {"tasks": tasks}),
                Contestant(
                    LEARN2LEARN, learn2learn_drawing, {"tasks": tasks, "split": False}
                ),
                Contestant(
                    LEARN2LEARN_SPLIT,
                    learn2learn_drawing,
                    {"tasks": tasks, "split": True},
                ),
                Contestant(NUMPY, numpy_drawing, {"tasks": tasks}),
                Contestant(TORCH, torch_drawing, {"tasks": tasks}),
            ],
            reference=OURS,
            **settings,
        )
        show_group(group)
        groups.append(group)
    ours = line_of(groups[-1], OURS) or {}
    goals.append(
        goal(
            f"episodes/s of {OURS}, tasks a batch: {TASKS[-1]}",
            ours.get("value"),
            at_least=GOAL_RATE,
        )
    )
    for group, tasks in zip(groups, TASKS, strict=True):
        for peer in (LEARN2LEARN, LEARN2LEARN_SPLIT):
            theirs = line_of(group, peer)
            goals.append(
                goal(
                    f"{OURS} over {peer}, tasks a batch: {tasks}",
                    None if theirs is None else _turned(theirs["ratio"]),
                    at_least=GOAL_RATIO,
                )
            )
    group = compete(
        "training steps through fit, 60-way 1-shot, 5 queries",
        "steps/s",
        [
            Contestant(source, training, {"source": source})
            for source in (CACHED, LIVE, AUGMENTED)
        ],
        reference=CACHED,
        **settings,
    )
    show_group(group, step_times=True)
    groups.append(group)
    for source in (LIVE, AUGMENTED):
        line = line_of(group, source)
        assert line is not None
        longer = {k: v - 1 for k, v in _turned(line["ratio"]).items()}
        goals.append(
            goal(f"step time on {source} over cached - 1", longer, below=GOAL_COST)
        )
    show_goals(goals)
    write_result(NAME, arguments, groups, goals)


def _turned(ratio: dict[str, float]) -> dict[str, float]:
    """The ratio the other way round; median, smallest and largest stay right."""
    return {
        "median": 1 / ratio["median"],
        "min": 1 / ratio["max"],
        "max": 1 / ratio["min"],
    }


if __name__ == "__main__":
    main()
