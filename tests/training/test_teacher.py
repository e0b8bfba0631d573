"""A pupil imitates a teacher."""

import shutil
from copy import deepcopy
from dataclasses import replace

import pytest

from tests.training.needs import WARNS, needs
from training.files import RecipeError
from training.sentences import natural

pytestmark = [pytest.mark.training, needs("nemo"), WARNS]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with one set of weights, by chance."""
    import torch

    from training.network.model import SHAPE, build, make_tokenizer

    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("teacher")
    model = build(replace(SHAPE, width=32, layers=1), make_tokenizer(natural("test"), folder / "tokenizer"))
    (folder / "weights").mkdir()
    torch.save(model.state_dict(), folder / "weights/00000001.pt")
    return folder


def heard():
    """Plain features of two clips, and their lengths."""
    import torch

    torch.manual_seed(2)
    return torch.randn(2, 80, 120) - 8, torch.tensor([120, 90])


def distance(pupil, teacher, features, lengths):
    """How far the one differs from the other."""
    import torch

    from training.network.model import normalised
    from training.network.teacher import imitation_loss

    wanted, steps = teacher.log_probs(features, lengths)
    pupil.eval()
    with torch.no_grad():
        encoded, _ = pupil.encoder(audio_signal=normalised(pupil, features, lengths), length=lengths)
        loss = imitation_loss(pupil.decoder(encoder_output=encoded), wanted, steps, lengths * 0)
    pupil.train()
    return float(loss)


def test_who_says_the_same_has_nothing_to_learn(run):
    import torch

    from training.network.teacher import imitation_loss
    from training.train import teacher_of

    wanted, steps = teacher_of(run, run / "tokenizer").log_probs(*heard())
    assert wanted.shape[:2] == (2, 30)
    assert steps.tolist() == [30, 23]
    count = torch.tensor([4, 0])
    assert float(imitation_loss(wanted, wanted, steps, count)) == pytest.approx(0, abs=1e-5)
    uniform = torch.full_like(wanted, -float(torch.tensor(float(wanted.shape[-1])).log()))
    loss = float(imitation_loss(uniform, wanted, steps, count))
    assert loss > 0
    longer = torch.cat([wanted, torch.zeros(2, 1, wanted.shape[-1])], 1)
    assert float(imitation_loss(uniform, longer, steps, count)) == pytest.approx(loss), "a last step of one alone"
    beyond = uniform.clone()
    beyond[1, 23:] = -20
    assert float(imitation_loss(beyond, wanted, steps, count)) == pytest.approx(loss), "behind the end of a clip"


def test_a_pupil_comes_nearer(run, tmp_path):
    import torch

    from training.network.dataset import Batch
    from training.network.model import SHAPE, build
    from training.network.schedule import Plan
    from training.network.team import Team
    from training.network.trainer import Trainer
    from training.train import teacher_of

    torch.manual_seed(3)
    pupil = build(replace(SHAPE, width=32, layers=1), run / "tokenizer")
    pupil.foreign = deepcopy(pupil.decoder)
    plan = Plan(warmup=1, short_first=(0.0, 3.0), augmented=(0.0, 0.0, 1.0))
    trainer = Trainer(pupil, plan, tmp_path, Team(0, 1), teacher_of(run, run / "tokenizer"))
    features, lengths = heard()
    none, foreign = torch.zeros(2, dtype=torch.long), torch.tensor([True, True])
    batch = Batch(features, lengths, torch.zeros(2, 0, dtype=torch.long), none, foreign, 2.1)
    before = {name: value.clone() for name, value in trainer.teacher.model.state_dict().items()}
    hindi = replace(batch, foreign=~foreign)
    assert float(trainer.loss(hindi).detach()) < float(trainer.loss(batch).detach()), "Hindi has texts of its own"
    far = []
    for _ in range(12):
        trainer.step(batch)
        far.append(distance(pupil, trainer.teacher, features[:1], lengths[:1]))
    assert far[-1] < 0.7 * far[0]
    after = trainer.teacher.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items()), "the teacher stays as it is"


def test_a_teacher_that_spells_otherwise_is_turned_down(run, tmp_path):
    from training.train import teacher_of

    shutil.copytree(run / "tokenizer", tmp_path / "tokenizer")
    (tmp_path / "tokenizer/vocab.txt").write_text("<unk>\n", encoding="utf-8")
    with pytest.raises(RecipeError, match="other pieces"):
        teacher_of(run, tmp_path / "tokenizer")
    with pytest.raises(RecipeError, match="other pieces"):
        teacher_of(tmp_path / "nothing", run / "tokenizer")
