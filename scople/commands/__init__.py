"""What a person calls, by the command `scople`: doctor, verify, compare, results, predict."""

from scople.pipeline.starting import start

start()
