"""What a person calls: doctor, verify, compare."""

from scople.pipeline.starting import start

start()
