"""SynSE (Gupta et al., ICIP 2021): a skeleton's latents are half a noun's, half a verb's.

With the terms of `scople.methods.vae` over the parts noun and verb, mean squared errors, and i the step of a cycle of
1,900, the loss is

    skeleton_error + text_error + b_x kl_skeleton + b_t kl_text + g cross
    b_x = max(0, (i - 1000) / 30000)       g = 1 if i > 1500, else 0
    b_t = max(0, (i - 1500) / 30000) in the third and later cycles, else 0

All three start anew with each cycle; weights and Adam's state go on. Encoders and decoders are single linear layers,
decoders end in a ReLU. The method decides by a linear classifier over latents, `scople.methods.experts`.

The public code is skelemoa/synse-zsl. Departures from it, each with its reason:

- The last of ten cycles counts. There the cycle of the best accuracy on unseen test samples does: a leak.
- 10 cycles of 1,900 steps for every split. There 55/5 and 48/12 have 1,700, which nothing explains.
- The classifier has no ReLU on its logits, where a class can be dead and ties go to the first class.
- Scores of seen classes come from a classifier of the method's own. There they are the backbone's head.
- Nouns and verbs come from the texts it is given, one vector for each string.

The latent width is 100 for NTU-60 and 200 for NTU-120; for PKU-MMD none is published.
"""

from dataclasses import dataclass

from scople.methods.experts import ExpertSettings
from scople.methods.method import Progress
from scople.methods.recipe import Recipe, constant
from scople.methods.schedules import in_cycle
from scople.methods.sizes import Sizes
from scople.methods.vae import AlignedVAE, Hidden, Weights


@dataclass(frozen=True)
class SynseSettings(ExpertSettings):
    """Published constants, of CA-VAE too.

    Attributes:
        latent: Z; for SynSE an even number.
        learning_rate: of Adam.
        batch_size: samples a step.
        cycles: how often the weights of the terms start anew.
        cycle_steps: steps of a cycle.
    """

    latent: int = 100
    learning_rate: float = 1e-4
    batch_size: int = 64
    cycles: int = 10
    cycle_steps: int = 1900

    def recipe(self) -> Recipe:
        """Adam at a constant rate; each batch is drawn anew from all samples."""
        return Recipe(
            batch_size=self.batch_size,
            steps=self.cycles * self.cycle_steps,
            rate=constant(self.learning_rate),
            draw="independent",
        )


class Synse(AlignedVAE):
    """The method, built from its settings.

    Args:
        settings: of the method.
        sizes: of features and texts.

    Raises:
        ScopleError: the latent width is odd.
    """

    fields = ("noun", "verb")

    def __init__(self, settings: SynseSettings, sizes: Sizes) -> None:
        super().__init__(
            sizes,
            parts=self.fields,
            latent=settings.latent,
            hidden=Hidden(),
            relu_ends=True,
            sums=False,
            settings=settings,
        )
        self.cycles = settings.cycles

    def weights(self, at: Progress) -> Weights:
        """b_x, b_t and g at a step."""
        cycle, i = in_cycle(at, self.cycles, 1900)
        return Weights(
            kl_skeleton=max(0.0, (i - 1000) / 30000),
            kl_text=max(0.0, (i - 1500) / 30000) if cycle >= 2 else 0.0,
            cross=float(i > 1500),
        )
