"""Whether the mark can be heard, as far as a machine can tell."""

from collections.abc import Iterator

import numpy as np

from sealproof.harness.foundation.audio.files import SAMPLE_RATE
from sealproof.harness.matrix.quality.audibility import audibility
from sealproof.harness.statistics.estimation.estimate import estimate_mean, estimate_median_of_defined
from sealproof.harness.studies.diagnosis.finding import Curve, Finding
from sealproof.harness.studies.diagnosis.material import Material


def hearing(material: Material) -> Iterator[Finding | Curve]:
    """Noise-to-mask ratio of the mark, as a whole and by band, and frames in which it stands above the mask."""
    host = material.judged_host
    heard = audibility(host, host + material.judged_mark, SAMPLE_RATE)
    ratio = estimate_median_of_defined(heard.nmr_db, material.judged)
    yield Finding.of("audibility.nmr_db", "noise-to-mask ratio of the mark (median clip)", "db", ratio)
    disturbed = estimate_mean(heard.disturbed_frames, material.judged, (0.0, 1.0))
    meaning = "frames in which some band of the mark stands 1.5 dB above what its host masks"
    yield Finding.of("audibility.disturbed_frames", meaning, "share", disturbed)
    bands = np.median(heard.band_nmr_db, axis=0)
    at = int(bands.argmax())
    worst = estimate_median_of_defined(heard.band_nmr_db[:, at], material.judged)
    meaning = "noise-to-mask ratio of the band where the mark is heard best (median clip)"
    yield Finding.of("audibility.worst_band_db", meaning, "db", worst, f"{heard.centres_hz[at]:,.0f} Hz")
    yield Curve("noise to mask", "hz", heard.centres_hz, bands, material.n)
