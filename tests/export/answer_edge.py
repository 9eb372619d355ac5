"""Answers requests of an ONNX or LiteRT file: `python answer_edge.py FILE IN OUT`.

As on a phone: with the runtime and NumPy, without TensorFlow. The files IN and OUT are
`.npz`, an array per `request/tensor`.
"""

import importlib
import sys
from collections import defaultdict

import numpy as np

HIDDEN = {"tfmeta", "keras", "tensorflow", "tf_keras"}


class Hiding:
    """A finder of modules to which the hidden packages do not exist."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(name)


def runtime(file):
    if file.endswith(".onnx"):
        import onnxruntime

        session = onnxruntime.InferenceSession(file)
        names = [output.name for output in session.get_outputs()]
        return lambda request: dict(
            zip(names, session.run(names, request), strict=True)
        )
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(file)
    (signature,) = interpreter.get_signature_list()
    run = interpreter.get_signature_runner(signature)
    return lambda request: run(**request)


def main():
    file, source, target = sys.argv[1:]
    requests = defaultdict(dict)
    with np.load(source) as arrays:
        for key in arrays:
            request, name = key.split("/")
            requests[request][name] = arrays[key]
    answer = runtime(file)
    found = {}
    for request, tensors in requests.items():
        for name, value in answer(tensors).items():
            found[f"{request}/{name}"] = np.array(value)
    np.savez(target, **found)


if __name__ == "__main__":
    sys.meta_path.insert(0, Hiding())
    for package in HIDDEN:
        try:
            importlib.import_module(package)
        except ModuleNotFoundError:
            continue
        sys.exit(f"{package} could be imported")
    main()
    if leaked := HIDDEN & set(sys.modules):
        sys.exit(f"imported: {leaked}")
