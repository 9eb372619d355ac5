"""MAML of policies for 2-D navigation in PyTorch, as one writes it there.

The environment is stepped for all tasks and trajectories at once, by the formula of
`tfmeta.control.Navigation`; policies of all tasks are one batched product; the outer
step is TRPO whose products with the curvature go through the update by a second
derivative of the divergence, of which the first is kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

GAMMA, RIDGE, TINY = 0.99, 1e-5, 1e-8
STEP, RADIUS = 0.1, 0.01
Weights = list[torch.Tensor]


def outputs(weights: Weights, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Means and logarithms of standard deviations, in the environment's unit."""
    *layers, logs = weights
    rows = seen.reshape(seen.shape[0], -1, seen.shape[-1])
    for place in range(0, len(layers), 2):
        rows = torch.baddbmm(layers[place + 1][:, None], rows, layers[place])
        if place + 2 < len(layers):
            rows = torch.relu(rows)
    means = STEP * rows.reshape(*seen.shape[:-1], -1)
    logs = logs.clamp_min(np.log(1e-3)) + np.log(STEP)
    return means, logs.reshape(logs.shape[0], *[1] * (seen.dim() - 2), -1)


def log_prob(weights: Weights, seen: torch.Tensor, actions: torch.Tensor) -> Any:
    """Of actions, `(tasks, trajectories, steps)`."""
    means, logs = outputs(weights, seen)
    scaled = (actions - means) / logs.exp()
    return (-0.5 * scaled**2 - logs - 0.5 * np.log(2 * np.pi)).sum(-1)


def roll_out(
    weights: Weights, goals: torch.Tensor, trajectories: int, horizon: int
) -> dict[str, torch.Tensor]:
    """Trajectories of all tasks, padded with zeros."""
    tasks = goals.shape[0]
    place = torch.zeros(tasks, trajectories, 2)
    alive = torch.ones(tasks, trajectories, dtype=torch.bool)
    kept: dict[str, list[torch.Tensor]] = {
        name: [] for name in ("seen", "actions", "rewards", "mask", "logs")
    }
    terminated = torch.zeros_like(alive)
    with torch.no_grad():
        for _ in range(horizon):
            means, logs = outputs(weights, place)
            noise = torch.randn_like(means)
            actions = means + logs.exp() * noise
            log = (-0.5 * noise**2 - logs - 0.5 * np.log(2 * np.pi)).sum(-1)
            after = place + actions.clamp(-STEP, STEP)
            distance = (after - goals[:, None]).norm(dim=-1)
            real = alive[..., None]
            for name, value in (
                ("seen", place * real),
                ("actions", actions * real),
                ("rewards", -distance * alive),
                ("mask", alive),
                ("logs", log * alive),
            ):
                kept[name].append(value)
            place = torch.where(real, after, place)
            there = alive & (distance < RADIUS)
            terminated |= there
            alive = alive & ~there
    found = {name: torch.stack(parts, dim=2) for name, parts in kept.items()}
    return {**found, "terminated": terminated, "last": place}


def masked_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Over the real steps of each task."""
    return (values * mask).sum((1, 2)) / mask.sum((1, 2)).clamp_min(1)


def discounted(values: torch.Tensor) -> torch.Tensor:
    """Of every step its value and the later ones."""
    steps = values.shape[-1]
    later = torch.arange(steps)[:, None] - torch.arange(steps)[None, :]
    powers = torch.where(later >= 0, GAMMA ** later.clamp_min(0).float(), 0.0)
    return values @ powers


def features(seen: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """Of the linear baseline."""
    seen, time = seen.clamp(-10, 10), steps[..., None] / 100
    return torch.cat(
        [seen, seen**2, time, time**2, time**3, torch.ones_like(time)], dim=-1
    )


def advantages(drawn: dict[str, torch.Tensor]) -> torch.Tensor:
    """Returns beyond a linear baseline, of mean 0 and deviation 1 in each task."""
    with torch.no_grad():
        seen, mask = drawn["seen"], drawn["mask"]
        steps = torch.arange(seen.shape[2]).float().expand(mask.shape)
        all_rows = features(seen, steps)
        rows = (all_rows * mask[..., None]).flatten(1, 2).double()
        wanted = discounted(drawn["rewards"])
        gram = rows.mT @ rows + RIDGE * torch.eye(rows.shape[-1], dtype=torch.float64)
        moments = rows.mT @ wanted.flatten(1, 2)[..., None].double()
        solved = torch.cholesky_solve(moments, torch.linalg.cholesky(gram)).float()
        values = (all_rows @ solved[:, None])[..., 0]
        last = (features(drawn["last"], mask.sum(-1).float()) @ solved)[..., 0]
        last = torch.where(drawn["terminated"], 0.0, last)
        values = torch.where(mask, values, last[..., None])
        following = torch.cat([values[..., 1:], last[..., None]], dim=-1)
        errors = (drawn["rewards"] + GAMMA * following - values) * mask
        found = discounted(errors)
        centred = found - masked_mean(found, mask)[:, None, None]
        deviation = masked_mean(centred**2, mask).sqrt()
        return centred / (deviation + TINY)[:, None, None] * mask


def adapted(
    start: Weights, drawn: dict[str, torch.Tensor], judged: torch.Tensor, rate: float
) -> Weights:
    """Weights of each task after one update, differentiable by the start."""
    tasks = judged.shape[0]
    weights = [part.expand(tasks, *part.shape) for part in start]
    logs = log_prob(weights, drawn["seen"], drawn["actions"])
    loss = -masked_mean(logs * judged, drawn["mask"]).sum()
    gradients = torch.autograd.grad(loss, weights, create_graph=True)
    return [w - rate * g for w, g in zip(weights, gradients, strict=True)]


def surrogate(
    weights: Weights, drawn: dict[str, torch.Tensor], judged: torch.Tensor
) -> torch.Tensor:
    """What is to grow."""
    logs = log_prob(weights, drawn["seen"], drawn["actions"])
    ratios = ((logs - drawn["logs"]) * drawn["mask"]).exp()
    return masked_mean(ratios * judged, drawn["mask"]).mean()


def divergence(acted: Any, weights: Weights, drawn: dict[str, torch.Tensor]) -> Any:
    """Of the policies from those that acted."""
    means, logs = outputs(weights, drawn["seen"])
    old_means, old_logs = acted
    apart = (old_means - means) ** 2 + (2 * old_logs).exp()
    each = logs - old_logs + apart / (2 * (2 * logs).exp()) - 0.5
    return masked_mean(each.sum(-1), drawn["mask"]).mean()


def flat(parts: Any) -> torch.Tensor:
    """All numbers in one vector."""
    return torch.cat([part.reshape(-1) for part in parts])


def first_derivatives(
    start: Weights, before: dict, judged: Any, after: dict, wanted: Any, rate: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The outer gradient, and that of the divergence with its graph."""
    weights = adapted(start, before, judged, rate)
    gradient = torch.autograd.grad(
        surrogate(weights, after, wanted), start, retain_graph=True
    )
    acted = tuple(part.detach() for part in outputs(weights, after["seen"]))
    apart = divergence(acted, weights, after)
    return flat(gradient), flat(torch.autograd.grad(apart, start, create_graph=True))


def train_step(
    start: Weights,
    goals: torch.Tensor,
    *,
    trajectories: int,
    horizon: int,
    rate: float = 0.1,
    max_kl: float = 0.01,
    iterations: int = 10,
    damping: float = 1e-5,
) -> torch.Tensor:
    """One outer step, in place; returns the mean return after adaptation."""
    tasks = goals.shape[0]
    own = [part.detach().expand(tasks, *part.shape) for part in start]
    before = roll_out(own, goals, trajectories, horizon)
    judged = advantages(before)
    moved = [part.detach() for part in adapted(start, before, judged, rate)]
    after = roll_out(moved, goals, trajectories, horizon)
    wanted = advantages(after)
    gradient, slope = first_derivatives(start, before, judged, after, wanted, rate)

    def product(vector: torch.Tensor) -> torch.Tensor:
        found = torch.autograd.grad(slope @ vector, start, retain_graph=True)
        return flat(found) + damping * vector

    x, left = torch.zeros_like(gradient), gradient.clone()
    way, square = left.clone(), left @ left
    for _ in range(iterations):
        across = product(way)
        length = square / (way @ across)
        x, left = x + length * way, left - length * across
        after_square = left @ left
        way, square = left + after_square / square * way, after_square
    step = torch.sqrt(2 * max_kl / (x @ product(x))) * x
    acted = outputs(moved, after["seen"])
    old = surrogate(moved, after, wanted).detach()
    kept = [part.detach().clone() for part in start]
    sizes = [part.numel() for part in start]
    for tried in range(15):
        with torch.no_grad():
            parts = (0.8**tried * step).split(sizes)
            for part, value, change in zip(start, kept, parts, strict=True):
                part.copy_(value + change.reshape(part.shape))
        weights = [part.detach() for part in adapted(start, before, judged, rate)]
        with torch.no_grad():
            gained = surrogate(weights, after, wanted) - old
            if gained > 0 and divergence(acted, weights, after) <= max_kl:
                break
    else:
        with torch.no_grad():
            for part, value in zip(start, kept, strict=True):
                part.copy_(value)
    return after["rewards"].sum(-1).mean()
