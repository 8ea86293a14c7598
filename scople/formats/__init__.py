"""From raw recordings to a packed corpus: archives, the NTU and PKU-MMD formats, a data set's description."""
