import csv
import io
import json

import numpy as np

from tfmeta.classifying.answers import Answers
from tfmeta.classifying.formats import csv_lines, json_lines, text_lines

PROBABILITIES = np.array([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]], np.float32)


def answers(**changes):
    values = {
        "names": ("a,b.png", 'c"d\n.png'),
        "class_names": ("cup", "tea, hot", "字"),
        "probabilities": PROBABILITIES,
        "classes": np.array([2, 0]),
    }
    return Answers(**{**values, **changes})


def test_without_the_truth():
    found = answers()
    assert list(text_lines(found)) == ["a,b.png\t字\t0.700", 'c"d\\n.png\tcup\t0.500']
    document = json.loads("\n".join(json_lines(found)))
    assert document["accuracy"] is document["right"] is document["recall"] is None
    first, second = document["answers"]
    assert first == {
        "file": "a,b.png",
        "class": "字",
        "probability": 0.7,
        "probabilities": {"cup": 0.1, "tea, hot": 0.2, "字": 0.7},
    }
    assert second["file"] == 'c"d\n.png'
    rows = list(csv.reader(io.StringIO("\n".join(csv_lines(found)))))
    assert rows == [
        ["file", "class", "probability"],
        ["a,b.png", "字", "0.7"],
        ['c"d\n.png', "cup", "0.5"],
    ]


def test_none_of_these():
    found = answers(classes=np.array([-1, 1]), labels=np.array([-1, 0]), open_set=True)
    lines = "\n".join(text_lines(found)).splitlines()
    assert lines[0] == "a,b.png\tnone of these\t-"
    assert lines[2:4] == ["", "accuracy 50.0 % (1 of 2 pictures)"]
    document = json.loads("\n".join(json_lines(found)))
    first, second = document["answers"]
    assert first["class"] is first["probability"] is first["label"] is None
    assert (second["class"], second["label"]) == ("tea, hot", "cup")
    assert (document["right"], document["accuracy"]) == (1, 0.5)
    assert document["recall"]["none of these"] == 1
    assert document["recall"]["字"] is None
    rows = list(csv.reader(io.StringIO("\n".join(csv_lines(found)))))
    assert rows[0] == ["file", "class", "probability", "label"]
    assert rows[1] == ["a,b.png", "none of these", "", ""]
    assert (rows[2][1], rows[2][3]) == ("tea, hot", "cup")


def test_texts_are_called_so():
    found = answers(of="text", labels=np.array([2, 0]))
    assert next(csv_lines(found)) == "text,class,probability,label"
    lines = "\n".join(text_lines(found)).splitlines()
    assert lines[3] == "accuracy 100.0 % (2 of 2 texts)"
    document = json.loads("\n".join(json_lines(found)))
    assert document["answers"][0]["text"] == "a,b.png"
