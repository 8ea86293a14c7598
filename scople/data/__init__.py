"""From raw skeleton archives to normalised sequences, splits and class names."""
