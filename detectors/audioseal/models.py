"""AudioSeal-type networks as Watermarker and Detector: numpy in, numpy out."""

from typing import TYPE_CHECKING, Any

import numpy as np

from sealproof.detectors.audioseal.nets import uncompiled
from sealproof.detectors.base import Audio, Bits, Detection, check_batch, check_messages
from sealproof.detectors.slopes import Slope, required_frames

if TYPE_CHECKING:
    import torch

SAMPLE_RATE = 16_000
MIN_SAMPLES = 320
"""20 ms, one step of the networks."""

# In a trial on two cores the fastest of 1, 2, 4, 8 and 16, for either size of network.
_BLOCK = 8


class AudioSealDetector:
    """A detector of AudioSeal's kind: the share of samples that it takes for watermarked.

    The network gives P(watermarked) for every sample. The score is what `detect_watermark` of the package calls the
    detection probability: the fraction of samples with P > 0.5. It is no probability, and it moves in steps of
    1/samples; `frames` holds P itself, from which other rules (its mean, say) can be computed. The bits come from each
    bit's logit, averaged over time.

    Args:
        net: An `audioseal.AudioSealDetector` in evaluation mode.
        name: As in tables: the name of its scheme.
    """

    sample_rate = SAMPLE_RATE
    threshold = 0.5
    frames_are_probabilities = True

    def __init__(self, net: Any, name: str) -> None:
        self.name = name
        self._net = _FoldedDetector(net)

    def detect(self, batch: Audio) -> Detection:
        """Score clips of at least 320 samples (20 ms).

        Args:
            batch: Shape (n, samples), float32, finite, at 16 kHz.

        Returns:
            n scores in [0, 1]; frames (n, samples), P(watermarked) of each sample; the bits of the message.

        Raises:
            DetectorError: The batch breaks a rule, or the network returned something that is not a number.
        """
        import torch

        check_batch(batch, self.name, MIN_SAMPLES)
        frames = np.empty(batch.shape, np.float32)
        bits = np.empty((len(batch), self._net.n_bits), np.uint8)
        with torch.inference_mode(), uncompiled():
            for start in range(0, len(batch), _BLOCK):
                block = slice(start, start + _BLOCK)
                logits, bit_logits = self._net(torch.from_numpy(batch[block, None].copy()))
                frames[block] = torch.sigmoid(logits).numpy()
                bits[block] = (bit_logits > 0).numpy()
        return Detection(
            score=(frames > 0.5).mean(axis=1, dtype=np.float64).astype(np.float32), frames=frames, bits=bits
        )

    def slope(self, batch: Audio, threshold: float, is_to_flag: bool) -> Slope:
        """Return how the samples' logits hang on the audio.

        The score counts samples with a positive logit, so only as many of them need turn as the threshold says: the
        value is the mean over those that are nearest to it, each logit l as l / (1 + |l|). Logits that are sure one way
        or the other say little about where to go, and none is saturated.

        Args:
            batch: (n, samples) float32, at 16 kHz.
            threshold: Of the score.
            is_to_flag: Which way the decision shall turn.
        """
        import torch

        check_batch(batch, self.name, MIN_SAMPLES)
        towards = 1.0 if is_to_flag else -1.0
        needed = required_frames(batch.shape[1], threshold, is_to_flag)
        scores, values = np.empty(len(batch), np.float32), np.empty(len(batch))
        gradients = np.empty_like(batch)
        with torch.enable_grad(), uncompiled():
            for start in range(0, len(batch), _BLOCK):
                block = slice(start, start + _BLOCK)
                audio = torch.from_numpy(batch[block, None].copy()).requires_grad_()
                logits, _ = self._net(audio)
                nearest = torch.topk(towards * logits, needed, dim=1, sorted=False).values
                value = (nearest / (1 + nearest.abs())).mean(dim=1) * towards
                (gradient,) = torch.autograd.grad(value.sum(), audio)
                scores[block] = (logits.detach() > 0).numpy().mean(axis=1)
                values[block] = value.detach().numpy()
                gradients[block] = gradient[:, 0].numpy()
        return Slope(scores, values, gradients)


class _FoldedDetector:
    """The same function as an `audioseal.AudioSealDetector`, within float rounding, with less to compute.

    Behind the encoder the network is linear: hidden states, one for each step of 20 ms, are spread over the samples of
    their step (`reverse_convolution`), and each sample is mapped to 2 + bits logits. Both maps are one matrix. Of the
    first two logits only the difference counts, as softmax over two is the sigmoid of it; the others are only averaged
    over time, so they are never needed sample by sample.
    """

    def __init__(self, net: Any) -> None:
        import torch

        encoder, last = net.detector[0], net.detector[1]
        spread = encoder.reverse_convolution
        with torch.no_grad():
            # (outputs, position in the step, channels)
            matrix = torch.einsum("csk,os->okc", spread.weight, last.weight[..., 0])
            bias = last.bias + last.weight[..., 0] @ spread.bias
            self._encoder = encoder.model
            self._step = int(spread.stride[0])
            self._mark = (matrix[1] - matrix[0]).contiguous()
            self._mark_bias = bias[1] - bias[0]
            self._bits = matrix[2:]
            self._bit_sums = self._bits.sum(1)
            self._bit_bias = bias[2:]
        self.n_bits = int(net.nbits)

    def __call__(self, audio: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor"]:
        """Return logits of each sample, (n, samples), and the bits' logits averaged over time, (n, bits)."""
        import torch

        samples = audio.shape[-1]
        hidden = self._encoder(audio)
        marked = torch.matmul(self._mark, hidden).transpose(1, 2).flatten(1)[:, :samples] + self._mark_bias
        # Where the length is no multiple of the step, only a part of the last step counts.
        whole, rest = divmod(samples, self._step)
        sums = hidden[..., :whole].sum(-1) @ self._bit_sums.T
        if rest:
            sums = sums + hidden[..., whole] @ self._bits[:, :rest].sum(1).T
        return marked, sums / samples + self._bit_bias


class AudioSealWatermarker:
    """A generator of AudioSeal's kind at the strength it was trained for (alpha 1).

    The message is always passed: left out, the package draws one, keeps it for later calls and fails on the next batch
    of another size.

    Args:
        net: An `audioseal.AudioSealWM` in evaluation mode.
        name: Name of its scheme, for error messages.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self, net: Any, name: str) -> None:
        self.name = name
        self.message_bits = int(net.msg_processor.nbits)
        self._net = net

    def embed(self, batch: Audio, messages: Bits) -> Audio:
        """Mark clips of at least 320 samples (20 ms).

        Args:
            batch: Shape (n, samples), float32, finite, at 16 kHz.
            messages: Shape (n, message_bits), uint8, 0 or 1.

        Returns:
            Same shape, float32, not clipped.

        Raises:
            DetectorError: The batch or the messages break a rule.
        """
        import torch

        check_batch(batch, self.name, MIN_SAMPLES)
        check_messages(messages, len(batch), self.message_bits, self.name)
        marked = np.empty_like(batch)
        with torch.inference_mode(), uncompiled():
            for start in range(0, len(batch), _BLOCK):
                block = slice(start, start + _BLOCK)
                message = torch.from_numpy(messages[block].astype(np.int64))
                marked[block] = self._net(torch.from_numpy(batch[block, None].copy()), message=message)[:, 0].numpy()
        return marked
