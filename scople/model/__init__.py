"""SCoPLe itself: language prompts, skeleton prompts, sampler, projection, losses."""
