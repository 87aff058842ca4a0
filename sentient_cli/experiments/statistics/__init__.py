"""Pure statistics of experiments: intervals of one look, and sequences that hold for any number of looks."""
