"""Synthetic recordings in the raw formats of NTU RGB+D and PKU-MMD.

Read `primitives` and datasets/demo/programs.yaml first, then `programs` (what happens when), `body` (joints),
`recordings` (people and cameras), `kinect` (faults and text), `ntu_archives` and `pku_folder` (files).
"""

from scople.demo.ntu_archives import write_ntu_archives
from scople.demo.pku_folder import write_pku
from scople.demo.programs import Program, Step, load_programs

__all__ = ["Program", "Step", "load_programs", "write_ntu_archives", "write_pku"]
