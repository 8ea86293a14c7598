"""What every room may use: errors, settings, whole files, seeds, shapes, checkpoints, arithmetic."""
