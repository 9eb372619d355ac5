"""What a converted file may answer, and what is refused."""

import numpy as np
import pytest
from every_learner import conv4

from tfmeta.export.edge_functions import edge_functions
from tfmeta.export.edge_trial import largest_differences, trial_requests
from tfmeta.learners import PrototypicalNetwork


@pytest.fixture(scope="module")
def functions():
    learner = PrototypicalNetwork(conv4())
    found = edge_functions(learner, learner.example_spec(None))
    return {function.file: function for function in found}


def test_tasks_of_two_sizes_are_tried(functions):
    sizes = [
        {name: len(tensor) for name, tensor in request.items()}
        for request in trial_requests(functions["classify"])
    ]
    assert sizes == [
        {"support": 6, "support_labels": 6, "query": 4},
        {"support": 5, "support_labels": 5, "query": 7},
    ]


def test_real_examples_are_taken_where_there_are_some(functions):
    shown = np.arange(9 * 64, dtype=np.uint8).reshape(9, 8, 8, 1)
    for request in trial_requests(functions["encoder"], shown):
        for row in request["examples"]:
            assert (row == shown).all(axis=(1, 2, 3)).any()


def test_the_difference_is_measured(functions):
    edge = functions["encoder"]

    def shifted(by, places=slice(None)):
        def answer(request):
            right = np.array(edge.function(request["examples"])["embeddings"])
            right[places] += by
            return {"embeddings": right}

        return answer

    assert largest_differences(edge, shifted(0.0), "float32") == {"embeddings": 0.0}
    found = largest_differences(edge, shifted(1e-6, (0, 0)), "float32")
    assert found["embeddings"] == pytest.approx(1e-6, rel=0.1)
    with pytest.raises(
        ValueError, match="within 0.0001 in float32.*'embed' differs by"
    ):
        largest_differences(edge, shifted(0.01), "float32")
    assert largest_differences(edge, shifted(0.01), "int8")["embeddings"] > 0.009
    with pytest.raises(ValueError, match="1 that are NaN or infinite in 'embeddings'"):
        largest_differences(edge, shifted(np.nan, (0, 0)), "int8")
    with pytest.raises(ValueError, match="of shape .* for "):
        largest_differences(
            edge, lambda r: {"embeddings": shifted(0.0)(r)["embeddings"][1:]}, "int8"
        )
