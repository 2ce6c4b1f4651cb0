"""What can be done to audio: the registry of attacks.

`get_attack("mp3.64kbps")` and `get_attack("mp3", bitrate_kbps=64)` build the same attack; `list_attacks()` names all.
Ids joined by `+` are a chain: `get_attack("mp3.64kbps+lowpass.4khz")` does one after the other.
A package adds its own attacks through the entry-point group `sealproof.attacks` (name -> class); a built-in name
always means the built-in attack. Importing this package loads numpy alone: an attack's libraries load with the attack.
"""

import difflib
import importlib
import inspect
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING

from sealproof.attacks import chain
from sealproof.attacks.base import Attack, Attacked, AttackError, Audio, Claim, parameter
from sealproof.attacks.parameters import Value

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = [
    "Attack",
    "AttackError",
    "Attacked",
    "Audio",
    "Claim",
    "attack_class",
    "get_attack",
    "list_attacks",
    "parameter",
]

ENTRY_POINT_GROUP = "sealproof.attacks"

_BUILT_IN = {
    "a_law": "sealproof.attacks.quantising:ALaw",
    "aac": "sealproof.attacks.codec:AAC",
    "aac_adts": "sealproof.attacks.codec:AACADTS",
    "adpcm": "sealproof.attacks.speech_codec:ADPCM",
    "air_absorption": "sealproof.attacks.channel:AirAbsorption",
    "aliasing": "sealproof.attacks.resampling:Aliasing",
    "allpass": "sealproof.attacks.phase:Allpass",
    "amr_nb": "sealproof.attacks.speech_codec:AMRNB",
    "background": "sealproof.attacks.noise:Background",
    "bandpass": "sealproof.attacks.filtering:Bandpass",
    "bandstop": "sealproof.attacks.filtering:Bandstop",
    "block_reverse": "sealproof.attacks.cutting:BlockReverse",
    "block_shuffle": "sealproof.attacks.cutting:BlockShuffle",
    "blue_noise": "sealproof.attacks.noise:BlueNoise",
    "brown_noise": "sealproof.attacks.noise:BrownNoise",
    "brown_noise_peak": "sealproof.attacks.noise:BrownNoisePeak",
    "bursts": "sealproof.attacks.disturbances:Bursts",
    "chorus": "sealproof.attacks.modulation:Chorus",
    "circular_shift": "sealproof.attacks.timing:CircularShift",
    "clicks": "sealproof.attacks.disturbances:Clicks",
    "clipping": "sealproof.attacks.level:Clipping",
    "collude": "sealproof.attacks.watermark_aware:Collude",
    "compressor": "sealproof.attacks.dynamics:Compressor",
    "copy_mark": "sealproof.attacks.watermark_aware:CopyMark",
    "crackle": "sealproof.attacks.disturbances:Crackle",
    "crop": "sealproof.attacks.cutting:Crop",
    "cut_samples": "sealproof.attacks.cutting:CutSamples",
    "dac": "sealproof.attacks.neural_codec:DAC",
    "dc_offset": "sealproof.attacks.level:DCOffset",
    "dithered_quantise": "sealproof.attacks.quantising:DitheredQuantise",
    "doppler": "sealproof.attacks.channel:Doppler",
    "dropouts": "sealproof.attacks.disturbances:Dropouts",
    "echo": "sealproof.attacks.reverb:Echo",
    "encodec": "sealproof.attacks.neural_codec:EnCodec",
    "equaliser": "sealproof.attacks.equalising:Equaliser",
    "expander": "sealproof.attacks.dynamics:Expander",
    "fade": "sealproof.attacks.modulating_level:Fade",
    "fade_mark": "sealproof.attacks.watermark_aware:FadeMark",
    "flac": "sealproof.attacks.codec:FLAC",
    "flanger": "sealproof.attacks.modulation:Flanger",
    "flip_samples": "sealproof.attacks.cutting:FlipSamples",
    "flutter": "sealproof.attacks.timing:Flutter",
    "fractional_delay": "sealproof.attacks.timing:FractionalDelay",
    "g722": "sealproof.attacks.speech_codec:G722",
    "g723_1": "sealproof.attacks.speech_codec:G7231",
    "g726": "sealproof.attacks.speech_codec:G726",
    "gain": "sealproof.attacks.level:Gain",
    "griffin_lim": "sealproof.attacks.resynthesis:GriffinLim",
    "gsm": "sealproof.attacks.speech_codec:GSM",
    "harmonic_percussive": "sealproof.attacks.resynthesis:HarmonicPercussive",
    "high_shelf": "sealproof.attacks.equalising:HighShelf",
    "highpass": "sealproof.attacks.filtering:Highpass",
    "hum": "sealproof.attacks.disturbances:Hum",
    "identity": "sealproof.attacks.identity:Identity",
    "insert_silence": "sealproof.attacks.cutting:InsertSilence",
    "jitter": "sealproof.attacks.resampling:Jitter",
    "leading_silence": "sealproof.attacks.modulating_level:LeadingSilence",
    "level_ramp": "sealproof.attacks.modulating_level:LevelRamp",
    "limiter": "sealproof.attacks.dynamics:Limiter",
    "loudness": "sealproof.attacks.level:LoudnessNormalise",
    "low_shelf": "sealproof.attacks.equalising:LowShelf",
    "lowpass": "sealproof.attacks.filtering:Lowpass",
    "lpc": "sealproof.attacks.resynthesis:LPC",
    "lpc_vocoder": "sealproof.attacks.resynthesis:LPCVocoder",
    "median_filter": "sealproof.attacks.smoothing:MedianFilter",
    "mel_vocoder": "sealproof.attacks.resynthesis:MelVocoder",
    "mp2": "sealproof.attacks.codec:MP2",
    "mp3": "sealproof.attacks.codec:MP3",
    "mp3_vbr": "sealproof.attacks.codec:MP3VBR",
    "msbc": "sealproof.attacks.speech_codec:MSBC",
    "mu_law": "sealproof.attacks.quantising:MuLaw",
    "noise_gate": "sealproof.attacks.dynamics:NoiseGate",
    "notch": "sealproof.attacks.filtering:Notch",
    "offset": "sealproof.attacks.timing:Offset",
    "opus": "sealproof.attacks.codec:Opus",
    "peak_normalise": "sealproof.attacks.level:PeakNormalise",
    "peaking": "sealproof.attacks.equalising:Peaking",
    "phase_rotation": "sealproof.attacks.phase:PhaseRotation",
    "phaser": "sealproof.attacks.modulation:Phaser",
    "pink_noise": "sealproof.attacks.noise:PinkNoise",
    "pitch_shift": "sealproof.attacks.timing:PitchShift",
    "polarity": "sealproof.attacks.level:Polarity",
    "quantise": "sealproof.attacks.quantising:Quantise",
    "quantise_levels": "sealproof.attacks.quantising:QuantiseLevels",
    "random_bandstop": "sealproof.attacks.filtering:RandomBandstop",
    "random_phase": "sealproof.attacks.phase:RandomPhase",
    "reembed": "sealproof.attacks.watermark_aware:Reembed",
    "repeat_part": "sealproof.attacks.cutting:RepeatPart",
    "rerecord": "sealproof.attacks.channel:Rerecord",
    "resample": "sealproof.attacks.resampling:Resample",
    "resample_linear": "sealproof.attacks.resampling:ResampleLinear",
    "reverb": "sealproof.attacks.reverb:Reverb",
    "reverse": "sealproof.attacks.timing:Reverse",
    "ring_modulation": "sealproof.attacks.modulating_level:RingModulation",
    "savitzky_golay": "sealproof.attacks.smoothing:SavitzkyGolay",
    "sbc": "sealproof.attacks.codec:SBC",
    "scattered_suppress": "sealproof.attacks.modulating_level:ScatteredSuppress",
    "shoebox": "sealproof.attacks.reverb:Shoebox",
    "small_speaker": "sealproof.attacks.channel:SmallSpeaker",
    "smooth": "sealproof.attacks.smoothing:Smooth",
    "snac": "sealproof.attacks.neural_codec:SNAC",
    "soft_clipping": "sealproof.attacks.level:SoftClipping",
    "spectral_gate": "sealproof.attacks.denoising:SpectralGate",
    "spectral_tilt": "sealproof.attacks.equalising:SpectralTilt",
    "speed": "sealproof.attacks.resampling:Speed",
    "splice": "sealproof.attacks.watermark_aware:Splice",
    "stft_quantise": "sealproof.attacks.resynthesis:STFTQuantise",
    "strongest_bins": "sealproof.attacks.resynthesis:StrongestBins",
    "subtract_average": "sealproof.attacks.watermark_aware:SubtractAverage",
    "suppress": "sealproof.attacks.modulating_level:Suppress",
    "telephone": "sealproof.attacks.channel:Telephone",
    "time_stretch": "sealproof.attacks.timing:TimeStretch",
    "time_warp": "sealproof.attacks.timing:TimeWarp",
    "tremolo": "sealproof.attacks.modulating_level:Tremolo",
    "trim_start": "sealproof.attacks.cutting:TrimStart",
    "upsample": "sealproof.attacks.resampling:Upsample",
    "vibrato": "sealproof.attacks.modulation:Vibrato",
    "violet_noise": "sealproof.attacks.noise:VioletNoise",
    "vorbis": "sealproof.attacks.codec:Vorbis",
    "wavelet_denoise": "sealproof.attacks.denoising:WaveletDenoise",
    "white_noise": "sealproof.attacks.noise:WhiteNoise",
    "white_noise_level": "sealproof.attacks.noise:WhiteNoiseLevel",
    "wiener_denoise": "sealproof.attacks.denoising:WienerDenoise",
    "wma": "sealproof.attacks.codec:WMA",
    "wow": "sealproof.attacks.timing:Wow",
}


def list_attacks() -> list[str]:
    """Names of all attacks, built in and from plug-ins, sorted."""
    return sorted({*_BUILT_IN, *(plug_in.name for plug_in in _plug_ins())})


def attack_class(name: str) -> type[Attack]:
    """Returns the class of an attack.

    Raises:
        AttackError: If no attack has this name, or a plug-in's entry point does not lead to an attack of this name.
    """
    if name in _BUILT_IN:
        module, _, attribute = _BUILT_IN[name].partition(":")
        built_in: type[Attack] = getattr(importlib.import_module(module), attribute)
        return built_in
    plug_in = next((plug_in for plug_in in _plug_ins() if plug_in.name == name), None)
    if plug_in is None:
        known = list_attacks()
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise AttackError(f"There is no attack '{name}'.{hint} `sealproof attacks list` names all {len(known)}.")
    return _load(plug_in)


def get_attack(spec: str, /, **params: Value) -> Attack:
    """Builds an attack from its full id, or from its name and parameters.

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
    except (ImportError, AttributeError) as error:
        raise AttackError(
            f"The plug-in attack '{plug_in.name}' ({plug_in.value}) cannot be loaded: {error}."
        ) from error
    if not (inspect.isclass(cls) and issubclass(cls, Attack) and cls.name == plug_in.name):
        raise AttackError(
            f"The entry point '{plug_in.name}' ({plug_in.value}) must lead to a subclass of sealproof.attacks.Attack "
            f"whose name is '{plug_in.name}'. Got {cls!r}."
        )
    return cls
