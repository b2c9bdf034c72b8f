"""What the records say: metrics with intervals, comparisons of models, the gate for CI."""
