"""SCoPLe: semantic-guided cross-modal prompt learning for zero-shot skeleton-based action recognition.

Read `base.shapes` first, then `text.tower` and `model.language_prompts` (eq. 1-10), `model.sampler` (eq. 11-14),
`model.losses` (eq. 15-16) and `model.scople` (eq. 17-18).
"""
