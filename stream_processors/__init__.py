"""Events become totals and milestones: pure folds, and a thin Faust shell around them."""
