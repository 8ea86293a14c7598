"""Legend of the letters in shape annotations; the first file to read.

| letter | axis |
|---|---|
| `B` | samples of a batch |
| `N` | samples of a whole set |
| `C` | coordinates x, y, z (metres) or channels of a map |
| `T` | time steps (frames) |
| `V` | joints (25, Kinect v2) |
| `M` | persons (2); a person is a *body* while its file is being read |
| `D` | width of a joint feature (the paper's d_skel, 256) |
| `K` | candidate classes of the task, seen or unseen |
| `L` | token positions of a text |
| `W` | width of the text encoder's states |
| `E` | width of the shared embedding space (the paper's d_text) |
| `P` | prompt positions (`prefix_length`), or fake joints (`joint_prompts`) where said so |
| `J` | tokens of a skeleton, [P^V; G]: the fake joints, then the real ones |
| `H` | width of the sampler's queries and keys (the paper's h, 150) |
| `R` | width of the sampled representation (the paper's d_R, 256) |

A raw sequence is `C T V M`, as in ST-GCN. `label` is a class id of the data set, from 0; `target` is a row among
the candidate classes of a task, from 0. They never share a variable.
"""

JOINTS = 25
"""Joints of a Kinect v2 body."""

PERSONS = 2
"""Persons kept of each recording."""
