"""From measured numbers to what a person reads: the paper's tables, comparisons, pictures."""
