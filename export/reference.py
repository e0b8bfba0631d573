"""NeMo itself on one waveform: what the package is held against."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from export.checkpoint import NemoModel
from export.errors import ExportError
from export.preprocessor import Semantics
from inference.types import Float32Array, Waveform

if TYPE_CHECKING:
    import torch

_STD_GUARD = 1e-5


@dataclass(frozen=True, slots=True)
class Computed:
    """What came out of one clip; valid frames and steps only."""

    features: Float32Array
    """`[mel_bins, frames]`."""
    log_probabilities: Float32Array
    """`[steps, vocabulary + 1]`."""
    text: str


class NemoReference:
    """NeMo's preprocessor, encoder, decoder and tokenizer."""

    def __init__(self, model: NemoModel, semantics: Semantics) -> None:
        """Raise ExportError where the NeMo installed does not compute the features that are asked for."""
        self._model = model
        self._semantics = semantics
        if semantics == "nemo-2.5" and not _pads_with_zeros(model):
            raise ExportError("this NeMo is older than 2.5, and the package wants the features of 2.5")

    def __call__(self, waveform: Waveform) -> Computed:
        """Transcribe one clip."""
        import torch

        signal = torch.from_numpy(waveform.samples.copy())[None]
        length = torch.tensor([signal.shape[1]])
        with torch.inference_mode():
            if self._semantics == "nemo-1":
                features, frames = features_before_2_5(self._model.preprocessor.featurizer, signal, length)
            else:
                features, frames = self._model.preprocessor(input_signal=signal, length=length)
            encoded, steps = self._model.encoder(audio_signal=features, length=frames)
            log_probabilities = self._model.decoder(encoder_output=encoded)
            hypotheses = self._model.decoding.ctc_decoder_predictions_tensor(log_probabilities, steps)
        return Computed(
            features=features[0, :, : int(frames[0])].numpy(),
            log_probabilities=log_probabilities[0, : int(steps[0])].numpy(),
            text=str(hypotheses[0].text),
        )


def features_before_2_5(
    featurizer: NemoModel, signal: "torch.Tensor", length: "torch.Tensor"
) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Compute `[1, mel_bins, frames]` and the count of valid frames as every NeMo before 2.5 did.

    Window and filterbank are those of `featurizer`, a `FilterbankFeatures`. Source: `forward`, `get_seq_len`
    and `normalize_batch` of nemo/collections/asr/parts/preprocessing/features.py in NeMo 1.6: `torch.stft`
    with its default reflection at both ends, `length // hop + 1` valid frames. One clip at a time, so that
    nothing is padded.
    """
    import torch

    emphasised = torch.cat((signal[:, :1], signal[:, 1:] - (featurizer.preemph or 0.0) * signal[:, :-1]), dim=1)
    spectrum = torch.stft(
        emphasised,
        n_fft=featurizer.n_fft,
        hop_length=featurizer.hop_length,
        win_length=featurizer.win_length,
        window=featurizer.window.to(emphasised.dtype),
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )
    power = torch.view_as_real(spectrum).pow(2).sum(-1).sqrt().pow(featurizer.mag_power)
    log_mel = torch.log(featurizer.fb.to(power.dtype) @ power + featurizer.log_zero_guard_value)
    frames = length // featurizer.hop_length + 1
    if featurizer.normalize == "NA":
        return log_mel, frames
    deviation = log_mel.std(dim=2, keepdim=True) + _STD_GUARD
    return (log_mel - log_mel.mean(dim=2, keepdim=True)) / deviation, frames


def largest_difference(one: Float32Array, other: Float32Array) -> float:
    """Largest absolute difference; infinite where the shapes differ."""
    if one.shape != other.shape:
        return float("inf")
    return float(np.abs(one - other).max(initial=0.0))


def _pads_with_zeros(model: NemoModel) -> bool:
    """Whether the NeMo installed computes the features of 2.5, by its count of frames."""
    import torch

    hop = model.preprocessor.featurizer.hop_length
    return int(model.preprocessor.featurizer.get_seq_len(torch.tensor([10 * hop]))[0]) == 10
