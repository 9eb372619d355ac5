"""Losses of a batch of embeddings: what is alike comes near, what is not goes away."""

from tfmeta.losses.contrastive import ContrastiveLoss, contrastive
from tfmeta.losses.embedding_loss import EmbeddingLoss
from tfmeta.losses.relation_score import RelationScoreLoss
from tfmeta.losses.triplet import TripletLoss, triplet

__all__ = [
    "ContrastiveLoss",
    "EmbeddingLoss",
    "RelationScoreLoss",
    "TripletLoss",
    "contrastive",
    "triplet",
]
