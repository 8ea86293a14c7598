"""Frozen transformer text encoders that take prompts in each layer."""
