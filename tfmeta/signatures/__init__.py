"""What a served signature takes and gives: its examples, labels and tensors."""
