"""Greedy CTC against NeMo's decoding."""

import numpy as np
import pytest

from inference.decoding import ctc
from inference.decoding.vocabulary import Vocabulary


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("blank_share", [0.0, 0.5, 1.0])
def test_equal_text(nemo_checkpoint, seed, blank_share):
    import torch

    random = np.random.default_rng(seed)
    vocabulary = Vocabulary(tuple(nemo_checkpoint.pieces))
    steps = int(random.integers(1, 120))
    # Few distinct tokens, so that repeats with and without a blank between them come up.
    best = random.choice(random.integers(0, vocabulary.blank, size=4), size=steps)
    best[random.random(steps) < blank_share] = vocabulary.blank
    logits = random.standard_normal((steps, vocabulary.blank + 1)).astype(np.float32)
    logits[np.arange(steps), best] = 20
    log_probabilities = torch.from_numpy(logits).log_softmax(dim=-1)
    (hypothesis,) = nemo_checkpoint.model.decoding.ctc_decoder_predictions_tensor(
        log_probabilities[None], torch.tensor([steps])
    )
    assert vocabulary.text(ctc.greedy(log_probabilities.numpy(), vocabulary.blank)) == hypothesis.text
