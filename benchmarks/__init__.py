"""How fast Cercles is, always beside a floor measured in the same run. What each figure means: benchmarks/README.md."""
