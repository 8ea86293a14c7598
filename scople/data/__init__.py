"""What a split is made of: corpus, normalised sequences, class names, seen and unseen classes, joint features."""
