"""MLServer with the runtime of the `export` folder; what runs it has its marker."""

import base64
import contextlib
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import types
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
import tensorflow as tf
from other_servers import EXPORT, environment, free_ports, process
from PIL import Image

import tfmeta

FOLDER = EXPORT / "mlserver"
DATATYPES = {"uint8": "UINT8", "int32": "INT32", "float32": "FP32"}


@pytest.fixture(scope="module")
def tensors():
    spec = importlib.util.spec_from_file_location("tensors", FOLDER / "tensors.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def a_tensor(data, shape, datatype):
    root = types.SimpleNamespace(root=data)
    return types.SimpleNamespace(name="x", data=root, shape=shape, datatype=datatype)


PIXELS = {"shape": [None, 2, 1], "dtype": "uint8"}


def test_an_array_is_read(tensors):
    for data in ([1, 2, 3, 4], [[[1], [2]], [[3], [4]]]):
        found = tensors.read_array(a_tensor(data, [2, 2, 1], "UINT8"), PIXELS, 2)
        assert found.dtype == np.uint8 and found.tolist() == [[[1], [2]], [[3], [4]]]
    nothing = tensors.read_array(a_tensor([], [0, 2, 1], "UINT8"), PIXELS, 2)
    assert nothing.shape == (0, 2, 1)
    floats = {"shape": [None], "dtype": "float32"}
    found = tensors.read_array(a_tensor([1, 0.5], [2], "FP32"), floats, 2)
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("data", "shape", "datatype", "refused"),
    [
        ([1, 2], [1, 2, 1], "INT8", "`datatype` of `inputs` 'x' must be UINT8"),
        ([1, 2], [1, 1, 2], "UINT8", r"must be \[-1, 2, 1\], where -1 is free"),
        ([1, 2], [2], "UINT8", "`shape`"),
        ([1, 2], [-1, 2, 1], "UINT8", "`shape`"),
        ([0] * 6, [3, 2, 1], "UINT8", "at most 2 examples. Received: 3"),
        # Of which the next client's rows would have made up for what is missing.
        ([1, 2], [2, 2, 1], "UINT8", "must be 4 values"),
        ([1, 2, 3], [1, 2, 1], "UINT8", "must be 2 values"),
        ([1.5, 2], [1, 2, 1], "UINT8", "Received: 2 of float64"),
        ([1, None], [1, 2, 1], "UINT8", "of object"),
        (["1", "2"], [1, 2, 1], "UINT8", "of str"),
        ([1, 256], [1, 2, 1], "UINT8", "must be 0 to 255. Received: 1 to 256"),
        ([[1], 2], [1, 2, 1], "UINT8", "ragged"),
    ],
)
def test_other_arrays_are_refused(tensors, data, shape, datatype, refused):
    with pytest.raises(ValueError, match=refused):
        tensors.read_array(a_tensor(data, shape, datatype), PIXELS, 2)


def test_texts_and_files_are_read(tensors):
    form = {"shape": [None], "dtype": "string"}
    both = a_tensor(["YQ==", b"a"], [2], "BYTES")
    assert tensors.read_strings(both, form, 2, in_base64=True).tolist() == [b"a", b"a"]
    text = a_tensor(["é"], [1], "BYTES")
    found = tensors.read_strings(text, form, 2, in_base64=False)
    assert found.tolist() == ["é".encode()]
    with pytest.raises(ValueError, match="must be base64"):
        tensors.read_strings(text, form, 2, in_base64=True)
    with pytest.raises(ValueError, match="must be 2 values"):
        tensors.read_strings(a_tensor(["a"], [2], "BYTES"), form, 2, in_base64=False)


def test_the_settings_keep_to_loopback_and_bounds():
    settings = json.loads((FOLDER / "settings.json").read_text("utf-8"))
    assert settings["host"] == "127.0.0.1"
    # Of workers, MLServer would join what nobody has checked.
    assert settings["parallel_workers"] == 0
    assert settings["grpc_max_message_length"] == 16 * 2**20
    model = json.loads((FOLDER / "model-settings.json").read_text("utf-8"))
    assert model["implementation"] == "runtime.SavedModelRuntime"
    assert "uri" not in model["parameters"]  # It would win over the variable.
    assert model["parameters"]["extra"]["picture_files"] is False


@contextlib.contextmanager
def running(model, path, **extra):
    """A client of an MLServer of a model's folder."""
    venv = environment("TFMETA_MLSERVER_VENV", "-r export/mlserver/requirements.txt")
    folder = shutil.copytree(FOLDER, path / "mlserver")
    settings = json.loads((folder / "model-settings.json").read_text("utf-8"))
    settings["parameters"]["extra"].update(extra)
    # Long enough for requests to come together on any machine.
    settings["max_batch_time"] = 0.05
    (folder / "model-settings.json").write_text(json.dumps(settings))
    http, grpc, metrics = free_ports(3)
    ports = {"HTTP": http, "GRPC": grpc, "METRICS": metrics}
    variables = {f"MLSERVER_{name}_PORT": str(port) for name, port in ports.items()}
    variables |= {"MLSERVER_MODEL_URI": str(model), "TF_CPP_MIN_LOG_LEVEL": "2"}
    clean = {name: v for name, v in os.environ.items() if name != "PYTHONPATH"}
    with httpx.Client(base_url=f"http://127.0.0.1:{http}", timeout=60) as client:

        def ready():
            try:
                return client.get("/v2/health/ready").status_code == 200
            except httpx.TransportError as error:
                raise OSError from error

        with process(
            [venv / "bin" / "mlserver", "start", folder],
            log=path / "log",
            ready=ready,
            cwd=path,
            env={**clean, **variables},
        ):
            client.grpc = [
                *(venv / "bin" / "python", folder / "grpc_client.py"),
                f"127.0.0.1:{grpc}",
            ]
            client.metrics = f"http://127.0.0.1:{metrics}/metrics"
            client.path = path
            yield client


def v2(name, array):
    if array.dtype.kind == "S":
        data = [base64.b64encode(one).decode() for one in array.tolist()]
        return {"name": name, "shape": [len(data)], "datatype": "BYTES", "data": data}
    return {
        "name": name,
        "shape": list(array.shape),
        "datatype": DATATYPES[array.dtype.name],
        "data": array.ravel().tolist(),
    }


def post(client, signature, inputs, *, outputs=None, status=200):
    body = {"inputs": [v2(name, array) for name, array in inputs.items()]}
    if signature:
        body["parameters"] = {"signature": signature}
    if outputs:
        body["outputs"] = [{"name": name} for name in outputs]
    response = client.post("/v2/models/tfmeta/infer", json=body)
    assert response.status_code == status, response.text
    if status != 200:
        return response.json()["error"]
    return {
        one["name"]: np.array(one["data"]).reshape(one["shape"])
        for one in response.json()["outputs"]
    }


def by_grpc(client, signature, inputs):
    given, found = client.path / "inputs.npz", client.path / "outputs.npz"
    np.savez(given, **inputs)
    done = subprocess.run(
        [*client.grpc, signature, given, found], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    with np.load(found) as arrays:
        return dict(arrays)


def rows_and_batches(client):
    text = httpx.get(client.metrics).text
    return [
        float(re.search(rf"^tfmeta_rows_{what}\{{.*\}} (.*)$", text, re.M)[1])
        for what in ("sum", "count")
    ]


def directly(model, signature, inputs):
    found = model.signatures[signature](
        **{name: tf.constant(array) for name, array in inputs.items()}
    )
    return {name: tensor.numpy() for name, tensor in found.items()}


def check_same(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        if array.dtype == object:
            texts = [one.decode() for one in array.ravel()]
            assert found[name].ravel().tolist() == texts
        else:
            np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-5)


@pytest.mark.mlserver
def test_it_answers_as_the_saved_model_does(families, task, tmp_path):
    folder = families["metric"].folder
    model, sent = tf.saved_model.load(folder), {"examples": task["query"]}
    with running(folder.parent, tmp_path) as client:
        described = client.get("/v2/models/tfmeta").json()
        assert described["inputs"] == [
            {"name": "examples", "datatype": "UINT8", "shape": [-1, 8, 8, 1]}
        ]
        expected = directly(model, "embed", sent)
        check_same(post(client, None, sent), expected)
        check_same(by_grpc(client, "embed", sent), expected)
        none = {"examples": task["query"][:0]}
        assert post(client, "embed", none)["embeddings"].shape[0] == 0
        floats = {"examples": task["query"].astype(np.float32)}
        check_same(
            post(client, "embed_float", floats), directly(model, "embed_float", floats)
        )
        expected = directly(model, "classify", task)
        check_same(post(client, "classify", task), expected)
        check_same(by_grpc(client, "classify", task), expected)
        part = post(client, "classify", task, outputs=["logits"])
        check_same(part, {"logits": expected["logits"]})

        message = post(client, "embed_encoded", {}, status=400)
        assert "must be one of embed, embed_float, classify." in message
        gap = {**task, "support_labels": np.array([0, 1, 3, 3, 1, 0], np.int32)}
        assert "without a gap" in post(client, "classify", gap, status=400)


@pytest.mark.mlserver
def test_requests_are_joined_and_tasks_are_not(families, task, tmp_path):
    folder = families["metric"].folder
    model = tf.saved_model.load(folder)
    pictures = np.concatenate([task["support"], task["query"]])
    expected = directly(model, "embed", {"examples": pictures})["embeddings"]
    tasks = directly(model, "classify", task)
    with running(folder.parent, tmp_path) as client:
        before = (
            rows_and_batches(client)
            if "tfmeta_rows_sum" in (httpx.get(client.metrics).text)
            else [0, 0]
        )

        def ask(number):
            place = number % len(pictures)
            one = pictures[place : place + 1]
            if number % 8 == 6:
                # Of as many numbers: joined, they would be read as another's.
                turned = {"examples": one.reshape(1, 4, 16, 1)}
                return "`shape`" in post(client, "embed", turned, status=400)
            if number % 8 == 7:
                check_same(post(client, "classify", task), tasks)
                return True
            found = post(client, "embed", {"examples": one})["embeddings"]
            np.testing.assert_allclose(found[0], expected[place], rtol=0, atol=1e-5)
            return True

        with ThreadPoolExecutor(16) as threads:
            assert all(threads.map(ask, range(160)))
        rows, batches = np.subtract(rows_and_batches(client), before)
        # 120 requests of one row; 20 tasks, each alone, that count by their support.
        assert rows == 120 + 20 * len(task["support"])
        assert batches - 20 < 60


@pytest.mark.mlserver
def test_a_gallery_answers_with_names_also_to_files(tmp_path):
    rng = np.random.default_rng(0)
    classes = {
        name: rng.integers(0, 256, (3, 8, 8, 1), np.uint8) for name in ("alif", "bā")
    }
    encoder = tfmeta.encoders.Conv4((8, 8, 1), filters=4, blocks=1, seed=0)
    learner = tfmeta.learners.PrototypicalNetwork(encoder)
    with tfmeta.Gallery.create(tmp_path / "gallery", learner) as gallery:
        gallery.enrol(classes)
        folder = gallery.export(tmp_path / "cups")
    model = tf.saved_model.load(folder)
    pixels = np.concatenate(list(classes.values()))
    files = []
    for picture in pixels:
        file = io.BytesIO()
        Image.fromarray(picture[..., 0]).save(file, "PNG")
        files.append(file.getvalue())
    sent = {"examples": np.array(files)}
    with running(
        folder.parent,
        tmp_path,
        picture_files=True,
        joined_signature="classify_enrolled_encoded",
    ) as client:
        expected = directly(model, "classify_enrolled", {"examples": pixels})
        check_same(post(client, None, {"examples": pixels}), expected)
        check_same(post(client, "classify_enrolled_encoded", sent), expected)
        check_same(by_grpc(client, "classify_enrolled_encoded", sent), expected)

        def ask(number):
            if number % 4 == 3:
                wrong = {"examples": np.array([b"no picture"])}
                error = post(client, "classify_enrolled_encoded", wrong, status=400)
                return "Unknown image file format" in error
            one = {"examples": sent["examples"][number % 6 :][:1]}
            found = post(client, "classify_enrolled_encoded", one)
            return found["names"][0, 0] == expected["names"][number % 6, 0].decode()

        # One that cannot be answered spoils none that it was joined with.
        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(ask, range(48)))
