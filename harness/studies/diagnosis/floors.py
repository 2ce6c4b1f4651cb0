"""What a scheme must keep to be worth imitating: floors, which bind, and goals, which are aimed at."""

from collections.abc import Mapping

from sealproof.harness.studies.diagnosis.finding import Limit

LIMITS: Mapping[str, Limit] = {
    "standing.snr_db": Limit(low=24),
    "standing.auc": Limit(low=0.999),
    "standing.tpr": Limit(low=0.99),
    "standing.bits": Limit(low=0.90),
    "standing.tpr.mp3.64kbps": Limit(low=0.95),
    "standing.tpr.white_noise.30db": Limit(low=0.95),
    "standing.tpr.resample.8khz": Limit(low=0.95),
    "standing.tpr.gain.6db": Limit(low=0.95),
    "standing.tpr.gain.-6db": Limit(low=0.95),
    "standing.tpr.lowpass.4khz": Limit(low=0.95),
    "sounds.sine": Limit(high=0.05),
    "sounds.harmonics": Limit(high=0.05),
    "sounds.chirp": Limit(high=0.05),
    "sounds.hum": Limit(high=0.05),
    "sounds.noise": Limit(high=0.05),
    "bands.without_50hz": Limit(low=0.95),
    "bands.without_200hz": Limit(low=0.90),
    "bands.without_every_second_500hz": Limit(low=0.70),
    "spectrum.largest_bin": Limit(high=0.03),
    "spectrum.dc": Limit(high=0.001),
    "alignment.tpr.speed.1.01x": Limit(low=0.9, is_goal=True),
    "alignment.tpr.speed.0.99x": Limit(low=0.9, is_goal=True),
    "alignment.tpr.pitch_shift.17cents": Limit(low=0.9, is_goal=True),
    "alignment.tpr.pitch_shift.-17cents": Limit(low=0.9, is_goal=True),
    "alignment.bits.offset.100samples": Limit(low=0.9, is_goal=True),
    "mean_mark.100_other_messages": Limit(high=0.2, is_goal=True),
    "linear.tone": Limit(high=0.9, is_goal=True),
    "linear.folded": Limit(high=0.9, is_goal=True),
    "linear.coherence": Limit(high=0.9, is_goal=True),
    "linear.local_coherence": Limit(high=0.9, is_goal=True),
    "linear.spectrum_50hz": Limit(high=0.9, is_goal=True),
    "linear.spectrum_fine": Limit(high=0.9, is_goal=True),
}
"""By name of the finding. 17 cents are 1 % of pitch."""
