"""A result in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfmeta.evaluation.result import EvaluationResult


def result_text(result: EvaluationResult) -> str:
    """The figure with what it is of, its intervals and what belongs beside it."""
    figure, protocol = result.figure, result.protocol
    further = []
    over_classes = result.auroc_over_test_classes
    if over_classes is not None:
        further = [
            f"  AUROC                     {result.auroc:.4f} ± "
            f"{result.auroc_over_episode_draws:.4f}  (mean of the episodes', 95 % "
            "over episode draws)",
            f"    95 % over test classes  {over_classes.line('{:.4f}', scale=1)}",
        ]
    if result.reliability is not None:
        further.append(
            f"  calibration error         {result.expected_calibration_error:.4f}"
            "  (expected, of the probabilities; 0 is best)"
        )
    if result.transduction is not None:
        already = "query_dirichlet" in protocol
        further += result.transduction.lines(figure, unequal_already=already)
    kind = "transductive" if result.transductive else "inductive"
    half_width = figure.number(result.over_episode_draws)
    seed = f", seed {protocol['seed']}" if "seed" in protocol else ""
    of_classes = result.over_test_classes.line(figure.signed(""), scale=figure.scale)
    return "\n".join(
        [
            f"{_episodes_in_words(protocol)}, {kind}: "
            f"{figure.title}{figure.number(result.mean)}{figure.unit}",
            f"  95 % over episode draws   ± {half_width}"
            f"  ({protocol['episodes']:,} episodes{seed})",
            f"  95 % over test classes    {of_classes}",
            *further,
        ]
    )


def _episodes_in_words(protocol: dict[str, Any]) -> str:
    p = protocol
    if not {"ways", "shots", "queries", "table"} <= set(p):
        settings = ", ".join(
            f"{name}={value}"
            for name, value in p.items()
            if isinstance(value, str | int | float)
            and name not in ("sequence", "episodes", "seed")
        )
        return f"{p.get('sequence', 'tasks')}({settings})"
    unequal = ""
    if "query_dirichlet" in p:
        unequal = f" on average, Dirichlet({p['query_dirichlet']:g}) proportions"
    return (
        f"{p['ways']}-way {p['shots']}-shot on {p['table']}, {p['queries']} "
        f"queries a class{unequal}"
    )
