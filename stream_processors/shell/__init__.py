"""The shell around the pure folds: a Faust worker that takes whole batches, aligns itself and keeps its own offsets."""
