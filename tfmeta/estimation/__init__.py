"""How well a task will be learned, estimated from its labelled examples alone."""

from tfmeta.estimation.choosing import Candidate, Choice, choose_head
from tfmeta.estimation.expect import expect
from tfmeta.estimation.expectation import Expectation
from tfmeta.estimation.heads import AUTO, HEADS, head_on_features
from tfmeta.estimation.to_label import label_next

__all__ = [
    "AUTO",
    "HEADS",
    "Candidate",
    "Choice",
    "Expectation",
    "choose_head",
    "expect",
    "head_on_features",
    "label_next",
]
