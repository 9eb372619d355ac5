"""What a matrix measures, and what it cannot, before the first example is encoded."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from tfmeta.matrix.domain import Domain
from tfmeta.matrix.fitting import DoesNotFitError, Fitted, fit_encoder
from tfmeta.matrix.row import Row

# As papers have it, where classes are large enough.
_QUERIES = 15


@dataclasses.dataclass(frozen=True)
class MatrixTasks:
    """The tasks of all cells.

    Attributes:
        ways: Classes of a task.
        shots: Support examples of a class, one number for each column of a domain.
        queries: Queries of a class; `None` for 15, or for what the classes have.
        num_episodes: Number of episodes.
        seed: Seed of the episodes, the same for all rows.
    """

    ways: int = 5
    shots: tuple[int, ...] = (1, 5)
    queries: int | None = None
    num_episodes: int = 1000
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Pair:
    """An encoder and a domain.

    Attributes:
        row: The encoder.
        domain: The domain.
        fitted: The encoder for these examples, `None` where there is no cell.
        queries: Queries of a class, by shots, of the cells to measure.
        reasons: Why there is no figure, by shots, of the others.
    """

    row: Row
    domain: Domain
    fitted: Fitted | None
    queries: dict[int, int]
    reasons: dict[int, str]

    @property
    def trained_on_others(self) -> bool:
        """Whether the run was trained on other classes of the data set."""
        return self.domain.is_of(self.row.seen)

    @property
    def num_examples(self) -> int:
        """Examples to encode, for all cells of the pair."""
        return self.domain.sizes.num_examples if self.queries else 0


@dataclasses.dataclass(frozen=True)
class MatrixPlan:
    """All cells of a matrix, those without a figure included.

    Attributes:
        rows: The encoders.
        domains: The domains.
        tasks: The tasks.
        pairs: Each encoder with each domain, row by row.
    """

    rows: tuple[Row, ...]
    domains: tuple[Domain, ...]
    tasks: MatrixTasks
    pairs: tuple[Pair, ...]

    @property
    def num_cells(self) -> int:
        """The number of cells that are going to have a figure."""
        return sum(len(pair.queries) for pair in self.pairs)

    @property
    def work(self) -> int:
        """Examples to encode and episodes to draw, for a progress bar."""
        encoded = sum(pair.num_examples for pair in self.pairs)
        return encoded + self.num_cells * self.tasks.num_episodes


def plan_matrix(
    rows: Sequence[Row], domains: Sequence[Domain], tasks: MatrixTasks
) -> MatrixPlan:
    """Finds the cells that can be measured, and says why others cannot.

    Args:
        rows: The encoders.
        domains: The domains.
        tasks: The tasks.

    Raises:
        ValueError: When there is no cell that can be measured; says why.
    """
    queries = {domain.name: _queries(domain, tasks) for domain in domains}
    pairs = [
        _pair(row, domain, tasks, queries[domain.name])
        for row in rows
        for domain in domains
    ]
    plan = MatrixPlan(tuple(rows), tuple(domains), tasks, tuple(pairs))
    if not plan.num_cells:
        why = "; ".join(dict.fromkeys(_refusals(plan.pairs)))
        raise ValueError(
            "`matrix` must have a cell that can be measured. Received: none. "
            f"{why or 'no encoder or no domain'}"
        )
    return plan


def _refusals(pairs: Sequence[Pair]) -> Iterator[str]:
    for pair in pairs:
        for reason in dict.fromkeys(pair.reasons.values()):
            yield f"{pair.row.name} on {pair.domain.name}: {reason}"


def _queries(domain: Domain, tasks: MatrixTasks) -> dict[int, int | str]:
    """Queries of a class by shots, or why the classes allow none."""
    found: dict[int, int | str] = {}
    most_ways = domain.sizes.most_ways()
    class_name, size = domain.sizes.smallest()
    for shots in tasks.shots:
        if most_ways < tasks.ways:
            found[shots] = f"{most_ways} unseen classes, and tasks are of {tasks.ways}"
        elif shots + (tasks.queries or 1) > size:
            asked = f"{shots} + {tasks.queries or 1}"
            found[shots] = (
                f"the smallest class, {class_name!r}, has {size} examples, and a task "
                f"takes {asked} of each"
            )
        else:
            found[shots] = tasks.queries or min(_QUERIES, size - shots)
    return found


def _pair(
    row: Row, domain: Domain, tasks: MatrixTasks, queries: dict[int, int | str]
) -> Pair:
    reason = None
    fitted = None
    shared = sorted(row.seen & set(domain.source.origins))
    if shared:
        reason = (
            f"the run has seen {len(shared)} of these classes, among them "
            f"{', '.join(shared[:3])}"
        )
    elif row.learner.fixed_ways not in (None, tasks.ways):
        reason = f"the learner takes tasks of {row.learner.fixed_ways} ways alone"
    else:
        try:
            fitted = fit_encoder(row, domain)
        except DoesNotFitError as error:
            reason = str(error)
    reasons = {
        shots: reason or str(count)
        for shots, count in queries.items()
        if reason is not None or isinstance(count, str)
    }
    return Pair(
        row=row,
        domain=domain,
        fitted=fitted,
        queries={
            shots: count
            for shots, count in queries.items()
            if shots not in reasons and isinstance(count, int)
        },
        reasons=reasons,
    )
