"""Settings → model: the one place where params.yaml's names become constructor arguments."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from scople.base.checkpoints import fingerprint
from scople.base.params import Method, Params, Profile
from scople.base.seeding import seeded, torch_generator
from scople.model.language_prompts import LanguagePrompts
from scople.model.scople import SCoPLe
from scople.pipeline.running import device
from scople.text.loading import load_tower
from scople.text.tower import TextTower


def build_tower(scale: Profile) -> TextTower:
    """The frozen text encoder of a profile, on the CPU."""
    return load_tower(scale.text_encoder, scale.text_weights)


def build_model(method: Method, tower: TextTower, feature_width: int, seed: int) -> SCoPLe:
    """SCoPLe as it stands before training; `seed` decides its start and nothing else."""
    prompts = LanguagePrompts(
        tower,
        text_prompting=method.text_prompting,
        phrase=method.phrase,
        prefix_length=method.prefix_length,
        layer_depth=method.layer_depth,
        alpha=method.alpha,
        prompt_std=method.prompt_std,
        prefix_streams=method.prefix_streams,
        layer_prompts=method.layer_prompts,
        prompted_residual=method.prompted_residual,
        generator=torch_generator(seed, "language prompts"),
    )
    with seeded(seed, "skeleton side"):
        return SCoPLe(
            prompts,
            feature_width=feature_width,
            text_width=tower.output_width,
            joint_prompts=method.joint_prompts,
            joint_prompt_std=method.joint_prompt_std,
            sampler=method.sampler,
            sampler_width=method.sampler_width,
            representation_width=method.representation_width,
            sampler_query=method.sampler_query,
            sampler_bias=method.sampler_bias,
            token_norm=method.token_norm,
            projection_hidden=method.projection_hidden,
            similarity=method.similarity,
            temperature=method.temperature,
            learn_temperature=method.learn_temperature,
        )


NOT_LEARNED = {"body_choice", "position_gradient", "gate", "max_broken"}
"""Settings of the method that a trained model depends on only through its features, or not at all."""


def model_identity(
    params: Params, method: Method, seed: int, problem: Mapping[str, str], backbone: str
) -> dict[str, str]:
    """What a trained model and its gates belong to.

    Args:
        params: the whole of params.yaml.
        method: settings of the model.
        seed: root seed of the repeat.
        problem: see `scople.pipeline.layout.identity`.
        backbone: digest of the weights that the features come from.
    """
    learned = {name: value for name, value in asdict(method).items() if name not in NOT_LEARNED}
    scale = params.scale
    settings = [learned, seed, scale.text_encoder, scale.text_weights, asdict(scale.train)]
    return {**problem, "backbone": backbone, "settings": fingerprint(settings, {})}


def fit_settings(params: Params, method: Method, seed: int) -> dict[str, Any]:
    """Arguments of `scople.model.training.fit` other than the samples."""
    return asdict(params.scale.train) | {
        "training_query": method.training_query,
        "text_weight": method.text_weight,
        "seed": seed,
        "device": device(params),
    }
