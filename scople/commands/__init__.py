"""What a person calls, through the command `scople`: doctor, verify, compare, results, spread, page, predict."""

from scople.pipeline.starting import start

start()
