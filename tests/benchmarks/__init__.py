"""The benchmarks: that they measure what they say, and that the fold has not become slow."""
