"""What stages and commands share: where files lie, how a run starts and resumes, settings made into models."""
