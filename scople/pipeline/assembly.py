"""Settings → method: the one place where params.yaml's names become constructor arguments, and classes become texts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from scople.base.checkpoints import fingerprint
from scople.base.errors import ScopleError
from scople.base.params import OF_EVERY_METHOD, MethodSettings, Params, Profile
from scople.base.seeding import seeded, torch_generator
from scople.data.joint_features import (
    INTERVALS,
    IntervalFeatures,
    JointFeatures,
    TestFeatures,
    TestIntervals,
    TrainingFeatures,
    TrainingIntervals,
    load_features,
)
from scople.methods.method import ClassTexts, Method
from scople.methods.registry import Settings, build, intervals_of, settings_of
from scople.methods.scople import Scople, ScopleSettings
from scople.methods.sizes import Sizes
from scople.methods.texts import DESCRIBED, WORDS, Encoder, class_texts, encoder_of, find_table, load_wordings
from scople.model.language_prompts import LanguagePrompts
from scople.model.scople import SCoPLe
from scople.pipeline.layout import DATASETS, Layout
from scople.text.loading import load_tower
from scople.text.tower import TextTower

DESCRIPTIONS = DATASETS / "descriptions"

NOT_LEARNED = {"body_choice", "position_gradient", "gate", "max_broken"}
"""Settings that a trained method depends on only through its features, or not at all."""


def build_tower(scale: Profile) -> TextTower:
    """The frozen text encoder of a profile, on the CPU."""
    return load_tower(scale.text_encoder, scale.text_weights)


def build_model(settings: MethodSettings, tower: TextTower, feature_width: int, seed: int) -> SCoPLe:
    """SCoPLe as it stands before training; `seed` decides its start and nothing else."""
    prompts = LanguagePrompts(
        tower,
        text_prompting=settings.text_prompting,
        phrase=settings.phrase,
        prefix_length=settings.prefix_length,
        layer_depth=settings.layer_depth,
        alpha=settings.alpha,
        prompt_std=settings.prompt_std,
        prefix_streams=settings.prefix_streams,
        layer_prompts=settings.layer_prompts,
        prompted_residual=settings.prompted_residual,
        generator=torch_generator(seed, "language prompts"),
    )
    with seeded(seed, "skeleton side"):
        return SCoPLe(
            prompts,
            feature_width=feature_width,
            text_width=tower.output_width,
            joint_prompts=settings.joint_prompts,
            joint_prompt_std=settings.joint_prompt_std,
            sampler=settings.sampler,
            sampler_width=settings.sampler_width,
            representation_width=settings.representation_width,
            sampler_query=settings.sampler_query,
            sampler_bias=settings.sampler_bias,
            token_norm=settings.token_norm,
            projection_hidden=settings.projection_hidden,
            similarity=settings.similarity,
            temperature=settings.temperature,
            learn_temperature=settings.learn_temperature,
        )


class Inputs(NamedTuple):
    """What a method reads of the samples of one part.

    Attributes:
        features: as many intervals of time as it reads.
        lengths: steps of time in each.
    """

    features: Float32[np.ndarray, "N I V D"]
    lengths: tuple[int, ...]

    @classmethod
    def of_joints(cls, joints: JointFeatures) -> "Inputs":
        """Joint features as one interval."""
        return cls(joints.features[:, None], (1,))


@dataclass(frozen=True)
class Assembly:
    """Everything that makes a variant's method and its texts on one data set.

    Attributes:
        settings: those in `params.yaml`, with the variant's changes.
        own: settings that the method itself takes: its published ones with the variant's changes, or SCoPLe's training.
        tower: the frozen text encoder.
        dataset: name of the data set; decides which descriptions of the classes are read.
    """

    settings: MethodSettings
    own: Settings
    tower: TextTower
    dataset: str

    @classmethod
    def of(cls, params: Params, variant: str, dataset: str, tower: TextTower) -> "Assembly":
        """A variant of `params.yaml`; without a name, the one that it runs.

        Raises:
            ScopleError: there is no such variant, or it sets what its method cannot have.
        """
        settings = params.settings(variant)
        if settings.method == "scople":
            return cls.of_scople(params, settings, dataset, tower)
        own = settings_of(settings.method, params.own_settings(variant, dataset))
        if settings.seen_source == "head" and (intervals := intervals_of(settings.method, own)) > 1:
            raise ScopleError(
                f"the method {settings.method} reads {intervals} intervals of time, but a backbone for the calibration "
                "of its classifier gives the mean over time only: set `seen_source: own`."
            )
        return cls(settings, own, tower, dataset)

    @classmethod
    def of_scople(cls, params: Params, settings: MethodSettings, dataset: str, tower: TextTower) -> "Assembly":
        """SCoPLe under settings of no variant's.

        Raises:
            ScopleError: they are another method's.
        """
        if settings.method != "scople":
            raise ScopleError(
                f"this takes the method scople only, but params.yaml has {settings.method}: set `method: scople`."
            )
        training = ScopleSettings(
            **asdict(params.scale.train), training_query=settings.training_query, text_weight=settings.text_weight
        )
        return cls(settings, training, tower, dataset)

    @property
    def intervals(self) -> int:
        """How many intervals of time the method reads."""
        return 1 if isinstance(self.own, ScopleSettings) else intervals_of(self.settings.method, self.own)

    def inputs(self, joints: JointFeatures, layout: Layout, number: int, problem: Mapping[str, str]) -> Inputs:
        """What the method reads of a part: its joint features, or the interval features beside them.

        Args:
            joints: the part.
            layout: where interval features lie; they are opened only for a method that reads them.
            number: of the backbone.
            problem: what the features belong to, see `scople.pipeline.layout.identity`.

        Raises:
            ScopleError: the method reads another number of intervals than there are, or the file is missing, damaged or
                of another backbone.
        """
        if self.intervals == 1:
            return Inputs.of_joints(joints)
        if self.intervals != INTERVALS:
            raise ScopleError(
                f"the method {self.settings.method} reads {self.intervals} intervals of time, but features have 1 or "
                f"{INTERVALS}: set `intervals` of its settings to one of these."
            )
        kind: type[IntervalFeatures] = {TrainingFeatures: TrainingIntervals, TestFeatures: TestIntervals}[type(joints)]
        path = layout.intervals(problem["split"], "training" if kind is TrainingIntervals else "test", number)
        found = load_features(kind, path, **problem, backbone=joints.backbone)
        return Inputs(found.features, tuple(found.lengths.tolist()))

    def build(self, width: int, lengths: tuple[int, ...], classes: int, seed: int) -> Method:
        """The method as it stands before training.

        Args:
            width: D, of the features.
            lengths: steps of time in each interval.
            classes: how many it will learn from.
            seed: root seed; decides its start and nothing else.

        Raises:
            ScopleError: its settings do not go together.
        """
        if isinstance(self.own, ScopleSettings):
            return Scople(self.own, build_model(self.settings, self.tower, width, seed))
        return build(self.settings.method, self.own, Sizes(width, self.tower.output_width, classes, lengths), seed)

    def texts(self, method: Method, names: Sequence[str], encode: Encoder | None = None) -> ClassTexts:
        """What the method reads of some classes.

        Args:
            method: from `build`.
            names: of the classes, in the order of the rows.
            encode: takes the place of the text encoder.

        Raises:
            ScopleError: the method or `class_text` needs a description that a class does not have, or a text is too
                long for the encoder.
        """
        fields, class_text = set(method.fields), self.settings.class_text
        is_described, has_words = class_text != "names" or fields - {"name", *WORDS}, fields & {*WORDS}
        wordings = load_wordings(
            names,
            find_table(DESCRIPTIONS, self.dataset, names, DESCRIBED) if is_described else None,
            find_table(DESCRIPTIONS / "verb_noun", self.dataset, names, WORDS) if has_words else None,
        )
        return class_texts(wordings, method.fields, encode or encoder_of(self.tower), class_text)

    def identity(self, params: Params, seed: int, problem: Mapping[str, str], backbone: str) -> dict[str, str]:
        """What a trained method and its gates belong to.

        Args:
            params: the whole of params.yaml.
            seed: root seed of the repeat.
            problem: see `scople.pipeline.layout.identity`.
            backbone: digest of the weights that the features come from.
        """
        known = asdict(self.settings)
        read = known.keys() if self.settings.method == "scople" else OF_EVERY_METHOD  # the rest is SCoPLe's alone
        learned = {name: known[name] for name in known if name in read and name not in NOT_LEARNED}
        settings = [learned, seed, params.scale.text_encoder, params.scale.text_weights, asdict(self.own)]
        return {**problem, "backbone": backbone, "settings": fingerprint(settings, {})}


def require_names(settings: MethodSettings, what: str) -> None:
    """Refuse settings under which a model is more than SCoPLe and class names.

    Args:
        settings: of a variant.
        what: knows nothing else; begins the error's sentence.

    Raises:
        ScopleError: the method is another, or it reads descriptions.
    """
    if (settings.method, settings.class_text) != ("scople", "names"):
        raise ScopleError(
            f"{what} takes the method scople with class names, but this variant is {settings.method} with "
            f"{settings.class_text}: set another variant."
        )
