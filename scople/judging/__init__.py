"""From scores to reported numbers: gates, ZSL and GZSL metrics, controls, standard errors, provenance."""
