"""What can be done to audio: the registry of attacks.

`get_attack("mp3.64kbps")` and `get_attack("mp3", bitrate_kbps=64)` build the same attack; `list_attacks()` names all.
Ids joined by `+` are a chain: `get_attack("mp3.64kbps+lowpass.4khz")` does one after the other.
A package adds its own attacks through the entry-point group `sealproof.attacks` (name -> class); a built-in name
always means the built-in attack.

`contract`, `verification`, `selection` and `testing` are the machinery; each other folder is a room of attacks, by
family, and knows no other such room. Nothing here may know detectors or the harness. Importing this package loads numpy
alone: an attack's libraries load with the attack.
"""

import difflib
import importlib
import inspect
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING

from sealproof.attacks.contract import chain
from sealproof.attacks.contract.base import Attack, Attacked, AttackError, Audio, Claim, Facts, parameter
from sealproof.attacks.contract.knowledge import Knowledge
from sealproof.attacks.contract.parameters import Value

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = [
    "Attack",
    "AttackError",
    "Attacked",
    "Audio",
    "Claim",
    "Facts",
    "Knowledge",
    "attack_class",
    "get_attack",
    "list_attacks",
    "parameter",
]

ENTRY_POINT_GROUP = "sealproof.attacks"

_BUILT_IN = {
    "a_law": "sealproof.attacks.noise.quantising:ALaw",
    "aac": "sealproof.attacks.codec.music:AAC",
    "aac_adts": "sealproof.attacks.codec.music:AACADTS",
    "adpcm": "sealproof.attacks.codec.speech:ADPCM",
    "air_absorption": "sealproof.attacks.acoustics.channel:AirAbsorption",
    "aliasing": "sealproof.attacks.timing.resampling:Aliasing",
    "allpass": "sealproof.attacks.filtering.phase:Allpass",
    "amr_nb": "sealproof.attacks.codec.speech:AMRNB",
    "background": "sealproof.attacks.noise.additive:Background",
    "bandpass": "sealproof.attacks.filtering.bands:Bandpass",
    "bandstop": "sealproof.attacks.filtering.bands:Bandstop",
    "block_reverse": "sealproof.attacks.timing.cutting:BlockReverse",
    "block_shuffle": "sealproof.attacks.timing.cutting:BlockShuffle",
    "blue_noise": "sealproof.attacks.noise.additive:BlueNoise",
    "brown_noise": "sealproof.attacks.noise.additive:BrownNoise",
    "brown_noise_peak": "sealproof.attacks.noise.additive:BrownNoisePeak",
    "bursts": "sealproof.attacks.noise.disturbances:Bursts",
    "chorus": "sealproof.attacks.acoustics.modulation:Chorus",
    "circular_shift": "sealproof.attacks.timing.shifting:CircularShift",
    "clicks": "sealproof.attacks.noise.disturbances:Clicks",
    "clipping": "sealproof.attacks.level.amplitude:Clipping",
    "collude": "sealproof.attacks.watermark_aware.reembedding:Collude",
    "compressor": "sealproof.attacks.level.dynamics:Compressor",
    "copy_mark": "sealproof.attacks.watermark_aware.averaging:CopyMark",
    "crackle": "sealproof.attacks.noise.disturbances:Crackle",
    "crop": "sealproof.attacks.timing.cutting:Crop",
    "cut_samples": "sealproof.attacks.timing.cutting:CutSamples",
    "dac": "sealproof.attacks.codec.neural:DAC",
    "dc_offset": "sealproof.attacks.level.amplitude:DCOffset",
    "dithered_quantise": "sealproof.attacks.noise.quantising:DitheredQuantise",
    "doppler": "sealproof.attacks.acoustics.channel:Doppler",
    "dropouts": "sealproof.attacks.noise.disturbances:Dropouts",
    "echo": "sealproof.attacks.acoustics.reverb:Echo",
    "encodec": "sealproof.attacks.codec.neural:EnCodec",
    "equaliser": "sealproof.attacks.filtering.equalising:Equaliser",
    "expander": "sealproof.attacks.level.dynamics:Expander",
    "fade": "sealproof.attacks.level.over_time:Fade",
    "fade_mark": "sealproof.attacks.watermark_aware.weakening:FadeMark",
    "flac": "sealproof.attacks.codec.music:FLAC",
    "flanger": "sealproof.attacks.acoustics.modulation:Flanger",
    "flip_samples": "sealproof.attacks.timing.cutting:FlipSamples",
    "flutter": "sealproof.attacks.timing.stretching:Flutter",
    "fractional_delay": "sealproof.attacks.timing.shifting:FractionalDelay",
    "g722": "sealproof.attacks.codec.speech:G722",
    "g723_1": "sealproof.attacks.codec.speech:G7231",
    "g726": "sealproof.attacks.codec.speech:G726",
    "gain": "sealproof.attacks.level.amplitude:Gain",
    "griffin_lim": "sealproof.attacks.resynthesis.phase_guessing:GriffinLim",
    "gsm": "sealproof.attacks.codec.speech:GSM",
    "harmonic_percussive": "sealproof.attacks.resynthesis.masking:HarmonicPercussive",
    "high_shelf": "sealproof.attacks.filtering.equalising:HighShelf",
    "highpass": "sealproof.attacks.filtering.bands:Highpass",
    "hum": "sealproof.attacks.noise.disturbances:Hum",
    "identity": "sealproof.attacks.identity:Identity",
    "insert_silence": "sealproof.attacks.timing.cutting:InsertSilence",
    "jitter": "sealproof.attacks.timing.resampling:Jitter",
    "leading_silence": "sealproof.attacks.level.over_time:LeadingSilence",
    "level_ramp": "sealproof.attacks.level.over_time:LevelRamp",
    "limiter": "sealproof.attacks.level.dynamics:Limiter",
    "loudness": "sealproof.attacks.level.amplitude:LoudnessNormalise",
    "low_shelf": "sealproof.attacks.filtering.equalising:LowShelf",
    "lowpass": "sealproof.attacks.filtering.bands:Lowpass",
    "lpc": "sealproof.attacks.resynthesis.linear_prediction:LPC",
    "lpc_vocoder": "sealproof.attacks.resynthesis.linear_prediction:LPCVocoder",
    "median_filter": "sealproof.attacks.filtering.smoothing:MedianFilter",
    "mel_vocoder": "sealproof.attacks.resynthesis.phase_guessing:MelVocoder",
    "mp2": "sealproof.attacks.codec.music:MP2",
    "mp3": "sealproof.attacks.codec.music:MP3",
    "mp3_vbr": "sealproof.attacks.codec.music:MP3VBR",
    "msbc": "sealproof.attacks.codec.speech:MSBC",
    "mu_law": "sealproof.attacks.noise.quantising:MuLaw",
    "noise_gate": "sealproof.attacks.level.dynamics:NoiseGate",
    "notch": "sealproof.attacks.filtering.bands:Notch",
    "offset": "sealproof.attacks.timing.shifting:Offset",
    "opus": "sealproof.attacks.codec.music:Opus",
    "peak_normalise": "sealproof.attacks.level.amplitude:PeakNormalise",
    "peaking": "sealproof.attacks.filtering.equalising:Peaking",
    "phase_rotation": "sealproof.attacks.filtering.phase:PhaseRotation",
    "phaser": "sealproof.attacks.acoustics.modulation:Phaser",
    "pink_noise": "sealproof.attacks.noise.additive:PinkNoise",
    "pitch_shift": "sealproof.attacks.timing.stretching:PitchShift",
    "polarity": "sealproof.attacks.level.amplitude:Polarity",
    "quantise": "sealproof.attacks.noise.quantising:Quantise",
    "quantise_levels": "sealproof.attacks.noise.quantising:QuantiseLevels",
    "random_bandstop": "sealproof.attacks.filtering.bands:RandomBandstop",
    "random_phase": "sealproof.attacks.filtering.phase:RandomPhase",
    "reembed": "sealproof.attacks.watermark_aware.reembedding:Reembed",
    "repeat_part": "sealproof.attacks.timing.cutting:RepeatPart",
    "rerecord": "sealproof.attacks.acoustics.channel:Rerecord",
    "resample": "sealproof.attacks.timing.resampling:Resample",
    "resample_linear": "sealproof.attacks.timing.resampling:ResampleLinear",
    "reverb": "sealproof.attacks.acoustics.reverb:Reverb",
    "reverse": "sealproof.attacks.timing.shifting:Reverse",
    "ring_modulation": "sealproof.attacks.level.over_time:RingModulation",
    "savitzky_golay": "sealproof.attacks.filtering.smoothing:SavitzkyGolay",
    "sbc": "sealproof.attacks.codec.music:SBC",
    "scattered_suppress": "sealproof.attacks.level.over_time:ScatteredSuppress",
    "shoebox": "sealproof.attacks.acoustics.reverb:Shoebox",
    "small_speaker": "sealproof.attacks.acoustics.channel:SmallSpeaker",
    "smooth": "sealproof.attacks.filtering.smoothing:Smooth",
    "snac": "sealproof.attacks.codec.neural:SNAC",
    "soft_clipping": "sealproof.attacks.level.amplitude:SoftClipping",
    "spectral_gate": "sealproof.attacks.filtering.denoising:SpectralGate",
    "spectral_tilt": "sealproof.attacks.filtering.equalising:SpectralTilt",
    "speed": "sealproof.attacks.timing.resampling:Speed",
    "splice": "sealproof.attacks.watermark_aware.weakening:Splice",
    "stft_quantise": "sealproof.attacks.resynthesis.masking:STFTQuantise",
    "strongest_bins": "sealproof.attacks.resynthesis.masking:StrongestBins",
    "subtract_average": "sealproof.attacks.watermark_aware.averaging:SubtractAverage",
    "suppress": "sealproof.attacks.level.over_time:Suppress",
    "telephone": "sealproof.attacks.acoustics.channel:Telephone",
    "time_stretch": "sealproof.attacks.timing.stretching:TimeStretch",
    "time_warp": "sealproof.attacks.timing.stretching:TimeWarp",
    "tremolo": "sealproof.attacks.level.over_time:Tremolo",
    "trim_start": "sealproof.attacks.timing.cutting:TrimStart",
    "upsample": "sealproof.attacks.timing.resampling:Upsample",
    "vibrato": "sealproof.attacks.acoustics.modulation:Vibrato",
    "violet_noise": "sealproof.attacks.noise.additive:VioletNoise",
    "vorbis": "sealproof.attacks.codec.music:Vorbis",
    "wavelet_denoise": "sealproof.attacks.filtering.denoising:WaveletDenoise",
    "white_noise": "sealproof.attacks.noise.additive:WhiteNoise",
    "white_noise_level": "sealproof.attacks.noise.additive:WhiteNoiseLevel",
    "wiener_denoise": "sealproof.attacks.filtering.denoising:WienerDenoise",
    "wma": "sealproof.attacks.codec.music:WMA",
    "wow": "sealproof.attacks.timing.stretching:Wow",
}


def list_attacks() -> list[str]:
    """Names of all attacks, built in and from plug-ins, sorted."""
    return sorted({*_BUILT_IN, *(plug_in.name for plug_in in _plug_ins())})


def attack_class(name: str) -> type[Attack]:
    """Return the class of an attack.

    Raises:
        AttackError: If no attack has this name, its module cannot be imported, or a plug-in's entry point does not lead
            to an attack of this name.
    """
    if name in _BUILT_IN:
        module, _, attribute = _BUILT_IN[name].partition(":")
        try:
            built_in: type[Attack] = getattr(importlib.import_module(module), attribute)
        except Exception as error:  # a broken package raises what it likes while it is imported
            raise AttackError(f"The attack '{name}' cannot be loaded ({type(error).__name__}: {error}).") from error
        return built_in
    plug_in = next((plug_in for plug_in in _plug_ins() if plug_in.name == name), None)
    if plug_in is None:
        known = list_attacks()
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise AttackError(f"There is no attack '{name}'.{hint} `sealproof attacks list` names all {len(known)}.")
    return _load(plug_in)


def get_attack(spec: str, /, **params: Value) -> Attack:
    """Build an attack from its full id, or from its name and parameters.

    Args:
        spec: An id such as `mp3.64kbps`, a bare name such as `mp3`, or several ids joined by `+`.
        **params: The parameters of a bare name; those with a default may be left out.

    Raises:
        AttackError: If the name is unknown, or a parameter is unknown, missing, given twice or refused.
    """
    if chain.SEPARATOR in spec:
        if params:
            raise AttackError(f"The strengths of a chain stand in its ids. Got {', '.join(params)} beside '{spec}'.")
        return chain.Chain(links=tuple(get_attack(link) for link in spec.split(chain.SEPARATOR)))
    name, dot, _ = spec.partition(".")
    cls = attack_class(name)
    if dot:
        if params:
            raise AttackError(f"'{spec}' states its strength already. Pass '{name}' to give {', '.join(params)}.")
        return cls.from_id(spec)
    accepted = {item.name: item.default is MISSING for item in fields(cls)}
    for wrong in params.keys() - accepted.keys():
        takes = ", ".join(accepted) or "none"
        raise AttackError(f"{name} has no parameter '{wrong}'. Its parameters: {takes}.")
    missing = [parameter_name for parameter_name, needed in accepted.items() if needed and parameter_name not in params]
    if missing:
        raise AttackError(f"{name} needs the parameter {', '.join(missing)}, e.g. '{cls.standard()[0].id}'.")
    return cls(**params)


def _plug_ins() -> "tuple[EntryPoint, ...]":
    from importlib import metadata  # costs as much as the rest of this package, and is seldom needed

    return tuple(metadata.entry_points(group=ENTRY_POINT_GROUP))


def _load(plug_in: "EntryPoint") -> type[Attack]:
    try:
        cls = plug_in.load()
    except Exception as error:  # a broken package raises what it likes while it is imported
        raise AttackError(
            f"The plug-in attack '{plug_in.name}' ({plug_in.value}) cannot be loaded ({type(error).__name__}: {error})."
        ) from error
    if not (inspect.isclass(cls) and issubclass(cls, Attack) and cls.name == plug_in.name):
        raise AttackError(
            f"The entry point '{plug_in.name}' ({plug_in.value}) must lead to a subclass of sealproof.attacks.Attack "
            f"whose name is '{plug_in.name}'. Got {cls!r}."
        )
    return cls
