"""A transductive learner from the training to the printed figures."""

import numpy as np
import pytest

from tfmeta.runs.measuring.on_episodes import read_results
from tfmeta.runs.measuring.standard import draw_test_episodes
from tfmeta.runs.run_folder import RunFolder
from tfmeta.runs.train import load_learner

QUICK = (
    *("--learner", "semi_supervised_prototypical"),
    *("--argument", "unlabelled_from=queries"),
    *("--epochs", 1, "--steps-per-epoch", 3, "--filters", 4, "--train-ways", 5),
    *("--train-queries", 2, "--queries", 4, "--validation-episodes", 8),
    *("--test-episodes", 600),
)


def three_lines(result):
    """The figure, the inductive one and that of unequal classes, as printed."""
    p, beside = result.protocol, result.transduction
    alone, unequal = (100 * figure.mean() for figure in (beside.alone, beside.unequal))
    return [
        f"{p['ways']}-way 1-shot on glyphs-seed0, {p['queries']} queries a class, "
        f"transductive: {100 * result.accuracy:.2f} %",
        f"  each query by itself      {alone:.2f} ± ",
        f"  unequal classes           {unequal:.2f} ± ",
    ]


def check_printed(out, result):
    lines = out.splitlines()
    for start in three_lines(result):
        (line,) = [line for line in lines if line.startswith(start)]
        if "by itself" in start:
            assert line.endswith("  (inductive)")
        if "unequal" in start:
            assert "(proportions from Dirichlet(2), " in line


@pytest.mark.slow
def test_the_inductive_and_the_dirichlet_figure_are_printed_beside(call, tmp_path):
    run = tmp_path / "run"
    done = call("train", "--run", run, *QUICK)
    assert (done.code, done.err) == (0, "")
    folder = RunFolder(run)
    (trained,) = read_results(folder)
    check_printed(done.out, trained)
    done = call("evaluate", run, "--ways", 3, "--episodes", 600)
    assert (done.code, done.err) == (0, "")
    _, result = read_results(folder)
    check_printed(done.out, result)
    assert result.protocol["ways"] == 3

    # The three are what they are called, on the first ten episodes.
    learner = load_learner(folder)
    config = folder.read_config()
    episodes = draw_test_episodes(config, config.test.with_given(ways=3))
    inputs, y = episodes.batch(0)
    state = learner.adapt(inputs["support"], inputs["support_labels"])
    together = learner.predict_query(state, inputs["query"])
    alone = [
        learner.predict_query(state, inputs["query"][:, q : q + 1])[:, 0]
        for q in range(y.shape[1])
    ]
    for logits, accuracies in (
        (together, result.episode_accuracies),
        (np.stack(alone, axis=1), result.transduction.alone),
    ):
        right = np.argmax(logits, axis=-1) == np.asarray(y)
        assert right.mean(axis=1) == pytest.approx(accuracies[:10], abs=1e-6)
    assert result.transduction.unequal.shape == (600,)
    assert np.any(result.transduction.unequal != result.episode_accuracies)
