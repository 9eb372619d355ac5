"""A memory-augmented network in PyTorch, as a loop over the steps of a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np


def make_network(weights: dict[str, np.ndarray], *, heads: int) -> Any:
    """The network of `tfmeta.learners.MemoryAugmentedNetwork`, with given weights.

    Args:
        weights: `kernel`, `recurrent`, `bias` of the controller, gates in the order
            input, forget, cell, output; matrix and bias of `key`, `content`, `gate` and
            `head`, named as `key` and `key_bias`; and `memory`, `(slots, width)`.
        heads: Reads and writes of a step.

    Returns:
        A `torch.nn.Module` from inputs `(tasks, steps, features)` to logits `(tasks,
        steps, ways)`.
    """
    import torch
    from torch.nn import functional

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, value in weights.items():
                tensor = torch.from_numpy(value.copy())
                if name == "memory":
                    self.register_buffer("first_memory", tensor)
                else:
                    self.register_parameter(name, torch.nn.Parameter(tensor))

        def forward(self, inputs: Any) -> Any:
            tasks, steps, _ = inputs.shape
            slots, width = self.first_memory.shape
            units = self.recurrent.shape[0]
            hidden = inputs.new_zeros(tasks, units)
            cell = inputs.new_zeros(tasks, units)
            read = inputs.new_zeros(tasks, heads * width)
            usage = functional.one_hot(torch.zeros(tasks, dtype=torch.long), slots)
            usage = usage.to(inputs.dtype)
            reads = usage[:, None].expand(tasks, heads, slots)
            memory = self.first_memory.expand(tasks, slots, width)
            outputs = []
            for step in range(steps):
                seen = torch.cat([inputs[:, step], read], dim=-1)
                gates = seen @ self.kernel + hidden @ self.recurrent + self.bias
                i, f, c, o = gates.chunk(4, dim=-1)
                cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(c)
                hidden = torch.sigmoid(o) * torch.tanh(cell)
                keys = torch.tanh(hidden @ self.key + self.key_bias)
                keys = keys.view(tasks, heads, width)
                content = torch.tanh(hidden @ self.content + self.content_bias)
                content = content.view(tasks, heads, width)
                gate = torch.sigmoid(hidden @ self.gate + self.gate_bias)[:, :, None]
                least = usage.detach().topk(heads, largest=False).indices
                unused = functional.one_hot(least, slots).to(inputs.dtype)
                writes = gate * reads + (1 - gate) * unused
                memory = memory * (1 - unused.sum(dim=1))[:, :, None]
                memory = memory + writes.transpose(1, 2) @ content
                norms = (keys.square().sum(-1) + 1e-8).sqrt()[:, :, None] * (
                    memory.square().sum(-1) + 1e-8
                ).sqrt()[:, None, :]
                reads = torch.softmax(keys @ memory.transpose(1, 2) / norms, dim=-1)
                read = (reads @ memory).reshape(tasks, heads * width)
                usage = 0.95 * usage + (reads + writes).sum(dim=1)
                outputs.append(torch.cat([hidden, read], dim=-1))
            return torch.stack(outputs, dim=1) @ self.head + self.head_bias

    return Network()
