"""Updates become rows, exactly once; rows become metrics."""
