"""From a recording to an answer: model folders, and labels with probabilities."""
