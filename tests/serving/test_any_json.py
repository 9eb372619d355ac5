"""Whatever JSON comes, the answer is one or a refusal, and the next one is right."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from running_server import post, running

NAMES = st.sampled_from(
    ["examples", "support", "top", "enrol", "rename", "forget", "name", "to", "b64"]
    + ["inputs", "outputs", "shape", "datatype", "data", "parameters", "signature"]
)
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-3, 3),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["FP32", "embed", "left", "1", "\x00", "é"]),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(NAMES, inner, max_size=4),
        st.dictionaries(st.text(max_size=4), inner, max_size=2),
    ),
    max_leaves=12,
)
BODIES = st.dictionaries(NAMES, VALUES, max_size=4)
PATHS = ("/embed", "/classify", "/classes", "/v2/models/points/infer")


@pytest.fixture(scope="module")
def client(made):
    with running(made / "points") as client:
        yield client


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(path=st.sampled_from(PATHS), body=BODIES)
def test_every_body_is_answered_or_refused(client, path, body):
    content = json.dumps(body).encode()
    response = client.post(
        path, content=content, headers={"content-type": "application/json"}
    )
    assert response.status_code in (200, 404, 409, 422), (body, response.text)
    if response.status_code != 200:
        assert set(response.json()) == {"error", "request_id"}


@settings(max_examples=50, suppress_health_check=list(HealthCheck))
@given(path=st.sampled_from(PATHS), data=st.data())
def test_a_changed_body_is_answered_or_refused(client, path, data):
    tensor = {"name": "examples", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}
    whole = {
        "/embed": {"examples": [[1, 2]]},
        "/classify": {"examples": [[1, 2]], "top": 1},
        "/classes": {"rename": {"name": "no", "to": "other"}},
        "/v2/models/points/infer": {"inputs": [tensor]},
    }[path]
    content = bytearray(json.dumps(whole).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    response = client.post(
        path, content=bytes(content), headers={"content-type": "application/json"}
    )
    assert response.status_code in (200, 404, 409, 422), (content, response.text)


def test_afterwards_it_answers_as_before(client):
    assert post(client, "/embed", {"examples": [[1, 2]]})["embeddings"] == [[1, 2]]
