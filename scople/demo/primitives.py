"""The named motion primitives from which the class programs are built.

A primitive is one or more `Move`s; each moves one channel of the body. A class is a list of primitives with times
(`scople.demo.programs`). Classes with similar names share primitives, so an unseen class combines primitives of seen
ones. A name is "hand to mouth" (one of three limbs and one of the `LANDMARKS`), "hand shakes" (a limb and one of the
`RHYTHMS`), or one of the `WHOLE_BODY` primitives, such as "bow" or "kick".
"""

from dataclasses import dataclass

SHAPES = ("hold", "glide", "swing", "pulse", "step")
"""Course of a move over its time, in this order: go there and back; go there and stay; swing to and fro; go there
and back several times; the same, but only in one half of each cycle, as a foot does in walking."""


@dataclass(frozen=True)
class Move:
    """One channel's part in a primitive.

    Attributes:
        channel: one of `scople.demo.body.CHANNELS`.
        shape: one of `SHAPES`.
        by: what is added to the channel: (outward, up, forward) for hands and feet; lengths in body heights, angles in
            radians.
        landmark: where the hand goes instead; empty for none.
        offset: start of the cycle, as a fraction of it.
    """

    channel: str
    shape: str
    by: tuple[float, float, float] = (0.0, 0.0, 0.0)
    landmark: str = ""
    offset: float = 0.0


LANDMARKS: dict[str, tuple[str, tuple[float, float, float]]] = {
    # name: (what it moves with, (outward, up, forward) for the hand of that side)
    "mouth": ("head", (0.010, -0.040, 0.085)),
    "nose": ("head", (0.010, -0.005, 0.080)),
    "eyes": ("head", (0.045, 0.010, 0.075)),
    "forehead": ("head", (0.060, 0.045, 0.055)),
    "ear": ("head", (0.080, 0.000, 0.010)),
    "cheek": ("head", (0.055, -0.030, 0.065)),
    "crown": ("head", (0.035, 0.090, 0.000)),
    "hair": ("head", (0.065, 0.050, -0.040)),
    "eye level": ("head", (0.060, 0.010, 0.260)),
    "neck": ("chest", (0.050, 0.020, -0.040)),
    "heart": ("chest", (-0.020, -0.080, 0.080)),
    "belly": ("chest", (0.020, -0.210, 0.100)),
    "back": ("chest", (0.020, -0.200, -0.090)),
    "shoulder": ("chest", (0.120, 0.035, 0.050)),
    "behind shoulder": ("chest", (0.170, 0.090, -0.060)),
    "workplace": ("chest", (0.050, -0.140, 0.190)),
    "waist": ("chest", (0.080, -0.230, 0.180)),
    "front": ("chest", (0.080, -0.010, 0.330)),
    "overhead": ("chest", (0.110, 0.340, 0.020)),
    "side": ("chest", (0.340, -0.020, 0.030)),
    "crossed": ("chest", (-0.100, -0.100, 0.150)),
    "pocket": ("chest", (0.080, -0.290, 0.020)),
    "knee": ("ground", (0.070, 0.300, 0.150)),
    "floor": ("ground", (0.070, 0.060, 0.220)),
    "foot": ("foot", (0.000, 0.020, 0.040)),
    "opposite foot": ("opposite foot", (0.000, 0.030, 0.040)),
    "other hand": ("opposite hand", (0.015, 0.015, 0.000)),
    "partner's face": ("ground", (0.030, 0.880, 0.480)),
    "partner's chest": ("ground", (0.060, 0.740, 0.480)),
    "partner's shoulder": ("ground", (0.110, 0.800, 0.500)),
    "partner's back": ("ground", (0.060, 0.760, 0.660)),
    "partner's hand": ("ground", (0.000, 0.600, 0.290)),
}
"""Where a hand can go; a partner stands about 0.55 body heights in front."""

RHYTHMS: dict[str, tuple[tuple[str, tuple[float, float, float], float], ...]] = {
    # verb: (shape, (outward, up, forward), offset)
    "shakes": (("swing", (0.040, 0.0, 0.0), 0.0),),
    "waves": (("swing", (0.120, -0.020, 0.0), 0.0),),
    "rubs": (("swing", (0.0, 0.035, 0.0), 0.0),),
    "scrubs": (("swing", (0.0, 0.0, 0.045), 0.0),),
    "strokes": (("pulse", (0.020, -0.090, -0.020), 0.0),),
    "taps": (("pulse", (0.0, -0.050, 0.0), 0.0),),
    "pumps": (("swing", (0.0, 0.080, 0.0), 0.0),),
    "bounces": (("pulse", (0.0, -0.150, 0.0), 0.0),),
    "circles": (("swing", (0.030, 0.0, 0.0), 0.0), ("swing", (0.0, 0.030, 0.0), 0.25)),
    "wheels": (("swing", (0.0, 0.300, 0.0), 0.0), ("swing", (0.0, 0.0, 0.250), 0.25)),
    "swings": (("swing", (0.0, 0.060, 0.250), 0.0),),
    "jabs": (("pulse", (0.0, 0.0, 0.120), 0.0),),
    "claps": (("pulse", (0.110, 0.0, 0.0), 0.0),),
    "opens": (("glide", (0.130, 0.0, 0.0), 0.0),),
    "lifts": (("hold", (0.0, 0.160, 0.030), 0.0),),
    "lobs": (("pulse", (0.0, 0.140, 0.0), 0.0),),
}
"""How a hand moves around its current position."""

LIMBS: dict[str, tuple[tuple[str, float], ...]] = {
    # name: (hand, start of its cycle)
    "hand": (("main", 0.0),),
    "other hand": (("other", 0.0),),
    "hands": (("main", 0.0), ("other", 0.0)),
    "hands in turn": (("main", 0.0), ("other", 0.5)),
}


def _walk(direction: float) -> tuple[Move, ...]:
    """Walk half a body height forward or backward; the arms swing opposite to the legs."""
    return (
        Move("place", "glide", (0.0, 0.0, 0.45 * direction)),
        Move("main foot", "step", (0.0, 0.08, 0.0)),
        Move("other foot", "step", (0.0, 0.08, 0.0), offset=0.5),
        Move("main foot", "swing", (0.0, 0.0, 0.12 * direction), offset=-0.25),
        Move("other foot", "swing", (0.0, 0.0, 0.12 * direction), offset=0.25),
        Move("main hand", "swing", (0.0, 0.02, 0.09), offset=0.25),
        Move("other hand", "swing", (0.0, 0.02, 0.09), offset=-0.25),
    )


WHOLE_BODY: dict[str, tuple[Move, ...]] = {
    "nod": (Move("head", "pulse", (0.5, 0.0, 0.0)),),
    "look down": (Move("head", "hold", (0.5, 0.0, 0.0)),),
    "look up": (Move("head", "hold", (-0.5, 0.0, 0.0)),),
    "tilt head": (Move("head", "hold", (0.1, 0.35, 0.1)),),
    "shake head": (Move("head", "swing", (0.0, 0.0, 0.6)),),
    "bow": (Move("torso", "hold", (0.75, 0.0, 0.0)), Move("pelvis", "hold", (0.0, 0.0, -0.05))),
    "bend to floor": (
        Move("torso", "hold", (1.35, 0.0, 0.0)),
        Move("pelvis", "hold", (0.0, -0.14, -0.13)),
        Move("head", "hold", (-0.2, 0.0, 0.0)),
    ),
    "lean back": (Move("torso", "hold", (-0.35, 0.0, 0.0)), Move("pelvis", "hold", (0.0, 0.0, 0.03))),
    "lean forward": (Move("torso", "hold", (0.35, 0.0, 0.0)), Move("pelvis", "hold", (0.0, 0.0, -0.02))),
    "lean aside": (Move("torso", "hold", (0.0, 0.35, 0.0)), Move("pelvis", "hold", (-0.03, 0.0, 0.0))),
    "twist": (Move("torso", "hold", (0.0, 0.0, 0.6)),),
    "twist away": (Move("torso", "hold", (0.0, 0.0, -0.6)),),
    "flinch": (Move("torso", "hold", (-0.35, 0.0, 0.0)), Move("place", "hold", (0.0, 0.0, -0.12))),
    "sit": (
        Move("pelvis", "hold", (0.0, -0.22, -0.20)),
        Move("torso", "hold", (0.15, 0.0, 0.0)),
        Move("main foot", "hold", (0.01, 0.0, 0.04)),
        Move("other foot", "hold", (0.01, 0.0, 0.04)),
    ),
    "stoop": (Move("torso", "pulse", (0.6, 0.0, 0.0)),),
    "squat": (Move("pelvis", "hold", (0.0, -0.29, -0.08)), Move("torso", "hold", (0.45, 0.0, 0.0))),
    "jump": (
        Move("pelvis", "swing", (0.0, 0.09, 0.0), offset=-0.25),
        Move("torso", "swing", (-0.15, 0.0, 0.0), offset=-0.25),
        Move("main foot", "step", (0.0, 0.10, 0.0), offset=-0.25),
        Move("other foot", "step", (0.0, 0.10, 0.0), offset=-0.25),
        Move("main hand", "swing", (0.05, 0.05, 0.03), offset=-0.25),
        Move("other hand", "swing", (0.05, 0.05, 0.03), offset=-0.25),
    ),
    "lift foot": (Move("main foot", "hold", (0.0, 0.16, -0.12)),),
    "kick": (Move("main foot", "pulse", (-0.02, 0.26, 0.36)), Move("torso", "pulse", (-0.2, 0.0, 0.0))),
    "kick aside": (Move("main foot", "pulse", (0.38, 0.24, 0.0)), Move("torso", "pulse", (0.0, -0.3, 0.0))),
    "kick back": (
        Move("main foot", "step", (0.0, 0.24, -0.22)),
        Move("other foot", "step", (0.0, 0.24, -0.22), offset=0.5),
    ),
    "run": (
        Move("main foot", "step", (0.0, 0.20, 0.0)),
        Move("other foot", "step", (0.0, 0.20, 0.0), offset=0.5),
        Move("pelvis", "swing", (0.015, 0.015, 0.0)),
    ),
    "walk": _walk(1.0),
    "walk backwards": _walk(-1.0),
    "stand apart": (Move("place", "hold", (0.0, 0.0, -0.45)),),
    "step forward": (
        Move("place", "hold", (0.0, 0.0, 0.15)),
        Move("main foot", "hold", (0.0, 0.0, 0.12)),
    ),
    "turn round": (Move("place", "hold", (0.0, 3.14, 0.0)),),
    "stagger": (
        Move("place", "swing", (0.12, 0.25, 0.0)),
        Move("torso", "swing", (0.0, 0.35, 0.0), offset=0.1),
        Move("pelvis", "swing", (0.05, 0.0, 0.0)),
        Move("main foot", "step", (0.04, 0.05, 0.0)),
        Move("other foot", "step", (0.04, 0.05, 0.0), offset=0.5),
    ),
    "fist": (Move("main grip", "hold", (0.0, 1.4, -0.2)),),
    "thumb up": (Move("main grip", "hold", (-0.7, 1.4, 0.9)),),
    "thumb down": (Move("main grip", "hold", (2.3, 1.4, 0.9)),),
    "pinch": (Move("main grip", "hold", (0.3, 0.9, -0.5)),),
    "fingers out": (Move("main grip", "hold", (0.6, -0.4, 0.6)),),
    "snap": (Move("main grip", "pulse", (0.3, 1.0, -0.5)),),
}  # fmt: skip

PRIMITIVES: dict[str, tuple[Move, ...]] = {
    **{
        f"{limb} to {landmark}": tuple(Move(f"{side} hand", "hold", landmark=landmark) for side, _ in sides)
        for limb, sides in LIMBS.items()
        if limb != "hands in turn"
        for landmark in LANDMARKS
    },
    **{
        f"{limb} {verb.removesuffix('s') if limb.startswith('hands') else verb}": tuple(
            Move(f"{side} hand", shape, by, offset=offset + start)
            for side, start in sides
            for shape, by, offset in moves
        )
        for limb, sides in LIMBS.items()
        for verb, moves in RHYTHMS.items()
    },
    **WHOLE_BODY,
}
"""Every primitive by its name."""
