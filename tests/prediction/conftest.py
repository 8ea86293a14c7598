"""One model folder for all tests of the room."""

import pytest
import tiny_model

from scople.prediction.recogniser import Recogniser


@pytest.fixture(scope="session")
def parts(root):
    """Settings, backbone and model of the folder."""
    return tiny_model.make_parts(root)


@pytest.fixture(scope="session")
def folder(parts, tmp_path_factory):
    """Where it lies; tests that change it take a copy."""
    return tiny_model.write_folder(tmp_path_factory.mktemp("models") / "tiny_3_2", parts)


@pytest.fixture(scope="session")
def recogniser(folder):
    return Recogniser.load(folder)
