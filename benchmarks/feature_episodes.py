"""Episodes a second over features that are there: tfmeta, easyfsl, PyTorch.

5-way 5-shot tasks with 15 queries a class over 20 classes of 100 features each, by the
nearest class mean in squared Euclidean distance; every contestant draws its own tasks,
gathers, classifies and counts. tfmeta does what `tfmeta.evaluation.evaluate` does, with
its checks, calibration, confusion and intervals; easyfsl its evaluation of
`FeaturesDataset`; PyTorch one gather for many tasks. Results go to
results/feature_episodes.json.

PyTorch may lie in an environment of its own, with the same version of Python:

    python -m venv torch && torch/bin/pip install torch torchvision easyfsl
    python benchmarks/feature_episodes.py --torch torch/lib/python3.11/site-packages
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from interleaved import (
    Contestant,
    Measure,
    Turn,
    compete,
    look_in,
    spread,
    start_tensorflow,
    start_torch,
)
from report import (
    goal,
    line_of,
    parse_arguments,
    show_goals,
    show_group,
    write_result,
)

NAME = "feature_episodes"
OURS, TORCH, EASYFSL = "tfmeta", "PyTorch, one gather", "easyfsl"
CLASSES, IMAGES, FEATURES = 20, 100, 1280
WAYS, SHOTS, QUERIES = 5, 5, 15
# What separates the classes: accuracies of all contestants must agree.
SPREAD = 0.15


def make_features() -> Any:
    """Float32 `(classes, images, features)`, the same for every contestant."""
    import numpy as np

    rng = np.random.default_rng(0)
    means = SPREAD * rng.normal(size=(CLASSES, 1, FEATURES))
    noise = rng.normal(size=(CLASSES, IMAGES, FEATURES))
    return (means + noise).astype(np.float32)


def _in_calls(run: Any, episodes: int, accuracies: list[float]) -> Measure:
    """The measure of `run(episodes)`, which gives a mean accuracy."""

    def measure(seconds: float) -> Turn:
        run(min(600, episodes))
        start, done, times = time.perf_counter(), 0, []
        while not times or time.perf_counter() - start < seconds:
            begin = time.perf_counter()
            accuracies.append(run(episodes))
            times.append(time.perf_counter() - begin)
            done += episodes
        per_episode = sorted(times)[len(times) // 2] / episodes
        return Turn(done, time.perf_counter() - start, 1000 * per_episode)

    return measure


def prepare_tfmeta(*, threads: int, episodes: int) -> tuple[Measure, dict[str, Any]]:
    """`evaluate` on a table of features, behind an encoder that passes them on."""
    tf = start_tensorflow(threads)
    import keras
    import numpy as np

    from tfmeta.datasets import ClassTable
    from tfmeta.episodes import Episodes
    from tfmeta.evaluation import evaluate
    from tfmeta.learners import PrototypicalNetwork

    table = ClassTable.from_arrays(
        "features",
        make_features().reshape(-1, FEATURES),
        np.repeat(np.arange(CLASSES), IMAGES),
    )
    inputs = keras.Input((FEATURES,))
    encoder = keras.Model(inputs, keras.layers.Identity()(inputs))
    learner = PrototypicalNetwork(encoder)
    tasks = Episodes(table, ways=WAYS, shots=SHOTS, queries=QUERIES, tasks=10, seed=0)

    def run(count: int) -> float:
        return evaluate(learner, tasks, num_episodes=count, seen_classes=[]).accuracy

    facts = {"versions": {"tensorflow": tf.__version__, "keras": keras.__version__}}
    return _in_calls(run, episodes, []), {**facts, "accuracy": run(600)}


def prepare_torch(
    *, threads: int, episodes: int, packages: str | None
) -> tuple[Measure, dict[str, Any]]:
    """One gather and one batched product for as many tasks as is fastest."""
    look_in(packages)
    torch = start_torch(threads)
    table = torch.from_numpy(make_features()).reshape(-1, FEATURES)
    first = torch.arange(CLASSES)[:, None] * IMAGES
    truth = torch.arange(WAYS).repeat_interleave(QUERIES)

    @torch.inference_mode()
    def batch(tasks: int) -> Any:
        classes = torch.rand(tasks, CLASSES).argsort(1)[:, :WAYS]
        picks = torch.rand(tasks, WAYS, IMAGES).topk(SHOTS + QUERIES, dim=2).indices
        rows = first[classes] + picks
        taken = table.index_select(0, rows.reshape(-1))
        taken = taken.view(tasks, WAYS, SHOTS + QUERIES, FEATURES)
        prototypes = taken[:, :, :SHOTS].mean(2)
        query = taken[:, :, SHOTS:].reshape(tasks, WAYS * QUERIES, FEATURES)
        # Nearest by the squared distance, without what is equal for all classes.
        nearness = 2 * query @ prototypes.mT - prototypes.square().sum(2)[:, None]
        return (nearness.argmax(2) == truth).float().mean(1)

    def clocked(tasks: int) -> float:
        batch(tasks)
        begin = time.perf_counter()
        for _ in range(-(-200 // tasks)):
            batch(tasks)
        return (time.perf_counter() - begin) / (tasks * -(-200 // tasks))

    best = min((1, 5, 10, 25, 50, 100), key=clocked)

    def run(count: int) -> float:
        found = [batch(best) for _ in range(-(-count // best))]
        return float(torch.cat(found)[:count].mean())

    facts = {"versions": {"torch": str(torch.__version__)}, "tasks_at_once": best}
    return _in_calls(run, episodes, []), {**facts, "accuracy": run(600)}


def prepare_easyfsl(
    *, threads: int, episodes: int, packages: str | None
) -> tuple[Measure, dict[str, Any]]:
    """`easyfsl.utils.evaluate` on its `FeaturesDataset`, nothing else changed."""
    look_in(packages)
    torch = start_torch(threads)
    _import_torchvision(torch)
    # Its sampler hands on an argument that PyTorch has no more.
    torch.utils.data.Sampler.__init__ = lambda self, data_source=None: None
    import easyfsl
    from easyfsl.datasets import FeaturesDataset
    from easyfsl.methods import PrototypicalNetworks
    from easyfsl.samplers import TaskSampler
    from easyfsl.utils import evaluate

    features = make_features()
    data = FeaturesDataset.from_dict({str(n): f for n, f in enumerate(features)})
    model = PrototypicalNetworks(torch.nn.Identity())

    def run(count: int) -> float:
        sampler = TaskSampler(data, WAYS, SHOTS, QUERIES, count)
        loader = torch.utils.data.DataLoader(
            data, batch_sampler=sampler, collate_fn=sampler.episodic_collate_fn
        )
        return evaluate(model, loader, device="cpu", use_tqdm=False)

    versions = {"easyfsl": easyfsl.__version__, "torch": str(torch.__version__)}
    return _in_calls(run, min(episodes, 100), []), {
        "versions": versions,
        "accuracy": run(300),
    }


def _import_torchvision(torch: Any) -> None:
    """Imports torchvision also where its compiled part is of another PyTorch.

    easyfsl imports it for its networks; nothing here uses an operation of it.
    """
    register = torch.library.register_fake
    torch.library.register_fake = lambda *_, **__: lambda function: function
    try:
        import torchvision  # noqa: F401
    finally:
        torch.library.register_fake = register


def check(facts: dict[str, dict[str, Any]]) -> None:
    """All classify alike: some hundred tasks each, drawn by themselves."""
    accuracies = {name: fact["accuracy"] for name, fact in facts.items()}
    if max(accuracies.values()) - min(accuracies.values()) > 0.03:
        raise SystemExit(f"contestants must agree in accuracy. Received: {accuracies}")


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--torch", type=Path, help="site-packages that hold PyTorch")
    parser.add_argument("--episodes", type=int, default=10_000, help="of a call")


def main() -> None:
    """Measures, prints and writes."""
    arguments = parse_arguments(
        __doc__ or "", name=NAME, rounds=5, seconds=5.0, add=_add
    )
    given: dict[str, Any] = {"episodes": arguments.episodes}
    other = {
        **given,
        "packages": None if arguments.torch is None else str(arguments.torch.resolve()),
    }
    group = compete(
        f"{WAYS}-way {SHOTS}-shot, {QUERIES} queries, {FEATURES} features",
        "episodes/s",
        [
            Contestant(OURS, prepare_tfmeta, given),
            Contestant(TORCH, prepare_torch, other),
            Contestant(EASYFSL, prepare_easyfsl, other),
        ],
        reference=OURS,
        rounds=arguments.rounds,
        seconds=arguments.seconds,
        threads=arguments.threads,
        check=check,
    )
    show_group(group)
    ours = (line_of(group, OURS) or {}).get("values", [])
    peers = [line for name in (TORCH, EASYFSL) if (line := line_of(group, name))]
    ratio = None
    if len(peers) == 2:
        best = map(max, *(line["values"] for line in peers))
        ratio = spread([a / b for a, b in zip(ours, best, strict=True)])
    goals = [
        goal(f"{OURS} over the better of {TORCH} and {EASYFSL}", ratio, at_least=1.0)
    ]
    show_goals(goals)
    arguments.torch = None if arguments.torch is None else arguments.torch.name
    write_result(NAME, arguments, [group], goals)


if __name__ == "__main__":
    main()
