"""The published methods that SCoPLe is compared with, one file each; read `method` first."""
