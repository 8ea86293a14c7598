"""Frozen transformer text encoders that let prompts enter each layer."""
