"""Second-order MAML in PyTorch, written in four ways.

Each trains the same network with batch normalization by the statistics of the
batch. Gradients of the tasks are added up task after task, as in the examples of
learn2learn and higher; `torch.func` works on all tasks at once.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from interleaved import Measure, start_torch
from maml_setting import (
    BATCH_NORMALIZATION_EPSILON,
    EPSILON,
    FILTERS,
    LEARNING_RATE,
    WAYS,
    first_weights,
    inner_rate,
    make_tasks,
    start_training,
)

# A step of the outer loop up to its gradients: adds them to `.grad` of the network's
# parameters and returns the mean loss of the tasks.
Backward = Callable[[], Any]


def torch_training(
    *, threads: int, tasks: int, inner_steps: int, kind: str
) -> tuple[Measure, dict[str, Any]]:
    """A training step as a user of PyTorch writes it.

    Args:
        threads: Threads of every operation.
        tasks: Tasks of a step.
        inner_steps: Steps of the inner loop.
        kind: A key of `WAYS_TO_WRITE`.
    """
    torch = start_torch(threads)
    network = _make_network()
    adam = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, eps=EPSILON)
    support, support_labels, query, query_labels = make_tasks(tasks)
    batch = (
        _to_torch(support),
        torch.from_numpy(np.tile(support_labels, (tasks, 1))),
        _to_torch(query),
        torch.from_numpy(np.tile(query_labels, (tasks, 1))),
    )
    make_backward, library = WAYS_TO_WRITE[kind]
    backward = make_backward(network, batch, inner_steps, inner_rate(inner_steps))

    def step() -> Any:
        adam.zero_grad()
        loss = backward()
        adam.step()
        return loss

    def first_step() -> tuple[float, list[np.ndarray]]:
        loss = step()
        return float(loss), [p.grad.numpy() for p in network.parameters()]

    versions = {
        name: importlib.metadata.version(name)
        for name in ("torch", library)
        if name is not None
    }
    return start_training(first_step, step, tasks=tasks, versions=versions)


def _make_network() -> Any:
    import torch
    from conv4_torch import conv4
    from torch import nn

    network = nn.Sequential(
        *conv4(running_statistics=False), nn.Linear(FILTERS, WAYS)
    ).train()
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), first_weights(), strict=True):
            axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[value.ndim]
            parameter.copy_(torch.from_numpy(value.transpose(axes).copy()))
    return network


def _to_torch(pictures: np.ndarray) -> Any:
    """Ready-made floats: tfmeta's step starts from bytes."""
    import torch

    moved = np.moveaxis(pictures, -1, -3) / np.float32(255)
    return torch.from_numpy(np.ascontiguousarray(moved))


def _plain_loop(
    network: Any, batch: Sequence[Any], inner_steps: int, rate: float
) -> Backward:
    """`torch.autograd.grad` with `create_graph=True`, weights in a list."""
    import torch
    from torch.nn import functional as F

    def forward(weights: Sequence[Any], images: Any) -> Any:
        for block in range(4):
            kernel, scale, offset = weights[3 * block : 3 * block + 3]
            images = F.conv2d(images, kernel, padding=1)
            images = F.batch_norm(
                images,
                None,
                None,
                scale,
                offset,
                training=True,
                eps=BATCH_NORMALIZATION_EPSILON,
            )
            images = F.max_pool2d(F.relu(images, inplace=True), 2)
        return F.linear(images.flatten(1), *weights[-2:])

    def backward() -> Any:
        total = 0.0
        for x, y, query, query_labels in zip(*batch, strict=True):
            weights = list(network.parameters())
            for _ in range(inner_steps):
                loss = F.cross_entropy(forward(weights, x), y)
                gradients = torch.autograd.grad(loss, weights, create_graph=True)
                weights = [
                    w - rate * g for w, g in zip(weights, gradients, strict=True)
                ]
            loss = F.cross_entropy(forward(weights, query), query_labels)
            loss = loss / len(batch[0])
            loss.backward()
            total += loss.detach()
        return total

    return backward


def _learn2learn(
    network: Any, batch: Sequence[Any], inner_steps: int, rate: float
) -> Backward:
    """learn2learn's `MAML`, as its examples use it."""
    from torch.nn import functional as F

    maml = _import_learn2learn_maml().MAML(network, lr=rate)

    def backward() -> Any:
        total = 0.0
        for x, y, query, query_labels in zip(*batch, strict=True):
            learner = maml.clone()
            for _ in range(inner_steps):
                learner.adapt(F.cross_entropy(learner(x), y))
            loss = F.cross_entropy(learner(query), query_labels) / len(batch[0])
            loss.backward()
            total += loss.detach()
        return total

    return backward


def _import_learn2learn_maml() -> types.ModuleType:
    """`learn2learn.algorithms.maml`, without what lies beside it.

    `import learn2learn` needs gym and a torchvision that fits, its algorithms
    PyTorch Lightning; MAML needs none of them.
    """
    found = importlib.util.find_spec("learn2learn")
    if found is None or found.submodule_search_locations is None:
        raise ImportError("learn2learn is not installed")
    (folder,) = found.submodule_search_locations
    for name, path in (
        ("learn2learn", folder),
        ("learn2learn.algorithms", f"{folder}/algorithms"),
    ):
        package = types.ModuleType(name)
        package.__path__ = [path]
        sys.modules[name] = package
    return importlib.import_module("learn2learn.algorithms.maml")


def _higher(
    network: Any, batch: Sequence[Any], inner_steps: int, rate: float
) -> Backward:
    """The inner loop of higher, as its example uses it."""
    import higher
    import torch
    from torch.nn import functional as F

    descent = torch.optim.SGD(network.parameters(), lr=rate)

    def backward() -> Any:
        total = 0.0
        for x, y, query, query_labels in zip(*batch, strict=True):
            with higher.innerloop_ctx(network, descent, copy_initial_weights=False) as (
                adapted,
                steps,
            ):
                for _ in range(inner_steps):
                    steps.step(F.cross_entropy(adapted(x), y))
                loss = F.cross_entropy(adapted(query), query_labels) / len(batch[0])
                loss.backward()
                total += loss.detach()
        return total

    return backward


def _torch_func(
    network: Any, batch: Sequence[Any], inner_steps: int, rate: float
) -> Backward:
    """`torch.func`: `grad` inside `vmap` over the tasks."""
    from torch.func import functional_call, grad, vmap
    from torch.nn import functional as F

    def loss_of(weights: dict[str, Any], images: Any, labels: Any) -> Any:
        return F.cross_entropy(functional_call(network, weights, (images,)), labels)

    def backward() -> Any:
        start = dict(network.named_parameters())

        def of_task(x: Any, y: Any, query: Any, query_labels: Any) -> Any:
            weights = start
            for _ in range(inner_steps):
                gradients = grad(loss_of)(weights, x, y)
                weights = {k: w - rate * gradients[k] for k, w in weights.items()}
            return loss_of(weights, query, query_labels)

        loss = vmap(of_task)(*batch).mean()
        loss.backward()
        return loss.detach()

    return backward


# How it is written, and the library beside PyTorch that it needs.
WAYS_TO_WRITE: dict[str, tuple[Callable[..., Backward], str | None]] = {
    "plain loop": (_plain_loop, None),
    "learn2learn": (_learn2learn, "learn2learn"),
    "higher": (_higher, "higher"),
    "torch.func": (_torch_func, None),
}
