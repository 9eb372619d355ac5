"""Holds a manifest against the CRD of KServe; needs PyYAML and jsonschema.

    python check.py inference_service.yaml serving.kserve.io_inferenceservices.yaml

The second is config/crd/full/serving.kserve.io_inferenceservices.yaml of KServe. As a
cluster does, it refuses fields that the CRD does not know.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import yaml


def strict(schema: Any) -> Any:
    """The schema without unknown fields, but where it keeps them."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and not (
        schema.get("x-kubernetes-preserve-unknown-fields")
        or "additionalProperties" in schema
    ):
        found["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        found.pop("type", None)
    return found


def errors(document: Any, crd: Any) -> Iterator[str]:
    """What is wrong with a document, and where."""
    versions = {one["name"]: one for one in crd["spec"]["versions"]}
    version = document["apiVersion"].rpartition("/")[2]
    if version not in versions or document["kind"] != crd["spec"]["names"]["kind"]:
        yield f"{document['kind']} of {document['apiVersion']} is not that of the CRD"
        return
    schema = strict(versions[version]["schema"]["openAPIV3Schema"])
    # Kubernetes has a schema of its own for it.
    schema["properties"]["metadata"] = {"type": "object"}
    for error in jsonschema.Draft7Validator(schema).iter_errors(document):
        yield f"{'.'.join(map(str, error.absolute_path))}: {error.message[:300]}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Check a manifest of KServe.")
    parser.add_argument("manifest", type=Path)
    parser.add_argument("crd", type=Path)
    options = parser.parse_args()
    crd = yaml.safe_load(options.crd.read_text("utf-8"))
    documents = list(yaml.safe_load_all(options.manifest.read_text("utf-8")))
    wrong = [
        f"{document['metadata']['name']}: {error}"
        for document in documents
        for error in errors(document, crd)
    ]
    print("\n".join(wrong) or f"{len(documents)} documents keep to the CRD")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
