"""The skeleton encoder: Shift-GCN, its pre-training and its joint features."""
