"""From scores to numbers that can be trusted: gates, ZSL and GZSL, controls, standard errors, what made a number."""
