"""`make bench ARGS=soak`: the whole pipeline for half an hour at 70 % of the highest rate, then every total."""
