"""`zedo publish` to a hub on loopback, and downloads from there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from erd_cases import tiny_weights
from hub_cases import SECRET
from hub_server import COMMIT, Hub
from typer.testing import CliRunner

import zedo_core
from zedo_cli.app import app
from zedo_core.methods.zedo.card import model_card
from zedo_core.storage.files import sha256_of
from zedo_core.weights import download

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # raised by the client itself

PACKAGED = Path(zedo_core.__file__).parent / "assets" / "prior"
FILES = ("prior.safetensors", "prior.json", "clusters.npz")
RECORDED = (
    *("| frames | 81535 |", "| steps | 40000 |", "| started from | zedo-prior-512 |"),
    "lifted held-out poses, mm | 46.28 |",
)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A weights folder that also contains files not to be published."""
    folder = tmp_path / "own"
    shutil.copytree(PACKAGED, folder, ignore=shutil.ignore_patterns("README.md"))
    (folder / "training.pt").write_bytes(b"the state of the training")
    (folder / "secret.txt").write_text(SECRET)
    return folder


def _publish(*args: str, **environment: str) -> Any:
    return CliRunner().invoke(app, ["publish", *args], env=environment)


def test_files_and_card_are_published_in_one_commit_and_can_be_downloaded(
    server: Hub, own: Path, tmp_path: Path
) -> None:
    args = ("--repo", "ann/prior", "--private", "--licence", "cc-by-4.0", "--terms", "Own capture of five people.")
    done = _publish(str(own), *args, "--json", HF_ENDPOINT=server.endpoint, HF_TOKEN=SECRET)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert (report["repo"], report["commit"]) == ("ann/prior", COMMIT)
    assert server.private == {"ann/prior": True}
    assert len(server.commits) == 1
    stored = server.repos["ann/prior"]
    assert set(stored) == {*FILES, "README.md"}  # no other files of the folder
    assert all(stored[name] == (own / name).read_bytes() for name in FILES)
    assert report["sha256"] == {name: sha256_of(own / name) for name in FILES}
    card = stored["README.md"].decode()
    for part in ("license: cc-by-4.0", "Own capture of five people.", "(joints h36m-17, ", *RECORDED):
        assert part in card
    assert SECRET not in done.output and SECRET not in card
    server.repos["acme/prior"] = stored
    with pytest.raises(zedo_core.errors.HubError, match="SHA-256"):  # type: ignore[attr-defined]
        download("prior", endpoint=server.endpoint)  # the test's registry has other hashes


def test_publishing_again_adds_a_second_commit(server: Hub, own: Path) -> None:
    for _ in range(2):
        assert _publish(str(own), "--repo", "ann/prior", HF_ENDPOINT=server.endpoint).exit_code == 0
    assert server.private == {"ann/prior": False}
    assert len(server.commits) == 2


def test_a_dry_run_prints_only_the_card(server: Hub, own: Path) -> None:
    done = _publish(str(own), "--repo", "ann/prior", "--dry-run", HF_ENDPOINT=server.endpoint)
    assert done.exit_code == 0
    assert done.stdout.startswith("---\nlicense: other\n")
    assert server.requests == []


def test_an_existing_card_is_published_unchanged(server: Hub, own: Path) -> None:
    (own / "README.md").write_text("# Mine\n")
    assert _publish(str(own), "--repo", "ann/prior", HF_ENDPOINT=server.endpoint).exit_code == 0
    assert server.repos["ann/prior"]["README.md"] == b"# Mine\n"
    for words in (("--licence", "mit"), ("--terms", "mine")):
        done = _publish(str(own), "--repo", "ann/prior", *words, HF_ENDPOINT=server.endpoint)
        assert done.exit_code == 2 and "is used as the model card; give licence and terms there" in done.stderr
    (own / "README.md").write_bytes(b"\xff\xfe")
    done = _publish(str(own), "--repo", "ann/prior", HF_ENDPOINT=server.endpoint)
    assert done.exit_code == 1 and "expected a model card as text" in done.stderr
    assert len(server.commits) == 1


def test_unusable_weights_are_not_published(server: Hub, own: Path) -> None:
    (own / "clusters.npz").write_bytes(b"damaged")
    done = _publish(str(own), "--repo", "ann/prior", HF_ENDPOINT=server.endpoint)
    assert done.exit_code == 1 and "clusters.npz" in done.stderr
    (own / "clusters.npz").unlink()
    (own / "training.json").write_text("[" * 100_000)
    shutil.copy(PACKAGED / "clusters.npz", own)
    done = _publish(str(own), "--repo", "ann/prior", HF_ENDPOINT=server.endpoint)
    assert done.exit_code == 1 and "training.json" in done.stderr
    assert server.requests == []


@pytest.mark.parametrize(("status", "expected"), [(401, "refuses the token"), (403, "denies"), (500, "status 500")])
def test_a_refusal_is_one_line(server: Hub, own: Path, sleeps: list[float], status: int, expected: str) -> None:
    server.status = status
    done = _publish(str(own), "--repo", "ann/prior", HF_ENDPOINT=server.endpoint, HF_TOKEN=SECRET)
    assert done.exit_code == 1
    assert expected in done.stderr and done.stderr.count("\n") == 1
    assert SECRET not in done.output
    assert sleeps == []


def test_lifting_networks(server: Hub, tmp_path: Path) -> None:
    """Their files and a card with the errors of the lifter alone and with its regressors."""
    folder, errors = tmp_path / "mine", [{"mpjpe_mm": 61.25, "mpjpe_noisy_mm": 99.0}, {"mpjpe_mm": 58.5}]
    tiny_weights(folder)
    record = {"descent": {"errors": errors, "regressors": 1}, "pairs": {"frames": 777}, "data": {"frames": 1234}}
    (folder / "training.json").write_text(json.dumps(record))
    (folder / "regressor-01").mkdir()
    done = _publish(str(folder), "--repo", "ann/erd", "--licence", "mit", "--json", HF_ENDPOINT=server.endpoint)
    assert done.exit_code == 0, done.output
    stored = server.repos["ann/erd"]
    assert set(stored) == {"erd.safetensors", "erd.json", "README.md"}
    card = stored["README.md"].decode()
    for part in (
        *("license: mit", "(joints h36m-17)", "and on recorded pairs", "| frames | 1234 |"),
        *("| residual regressors | 1, features delta |", "| frames of recorded pairs | 777 |"),
        *("of the lifter alone, mm | 61.25 |", "alone, with noise, mm | 99 |", "of all networks, mm | 58.5 |"),
    ):
        assert part in card
    (folder / "erd.json").write_text("{}")
    done = _publish(str(folder), "--repo", "ann/erd", HF_ENDPOINT=server.endpoint)
    assert done.exit_code == 1 and "erd.json" in done.stderr and len(server.commits) == 1


def test_folders_without_weights_or_with_several(own: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    tiny_weights(own)
    for folder, found in ((tmp_path / "empty", "none"), (tmp_path / "nowhere", "none"), (own, "several")):
        done = _publish(str(folder), "--repo", "ann/prior", "--dry-run")
        assert done.exit_code == 2 and done.stderr.count("\n") == 1
        assert f"with one of erd.safetensors, prior.safetensors, found {found}" in done.stderr


def test_fields_of_the_card_are_escaped() -> None:
    card = model_card(
        name="a\n---\nb", joints="c\n# d", weights=1, initial_poses=(),
        licence="other\nextra: true", terms="two\n\nlines",
        training={"options": {"steps": "1 | x\n# y"}, "data": []},
    )  # fmt: skip
    assert card.split("---\n")[1].splitlines()[0] == "license: other extra: true"
    assert "# a --- b\n" in card
    assert "| steps | 1 / x # y |" in card
    assert "two lines" in card
    assert "Not recorded." in card
