"""Strengths: which are accepted, how they are normalised, written in ids and read back."""

import math
import re
from typing import Any

import numpy as np
import pytest

from sealproof.attacks import AttackError, get_attack, parameter


@pytest.mark.parametrize(
    ("name", "params", "wanted"),
    [
        ("identity", {}, "identity"),
        ("mp3", {"bitrate_kbps": 64}, "mp3.64kbps"),
        ("white_noise", {"snr_db": 20}, "white_noise.20db"),
        ("white_noise", {"snr_db": 0}, "white_noise.0db"),
        ("white_noise", {"snr_db": -0.0}, "white_noise.0db"),
        ("white_noise", {"snr_db": np.float64(2.5)}, "white_noise.2.5db"),
        ("lowpass", {"cutoff_hz": 4000}, "lowpass.4khz"),
        ("lowpass", {"cutoff_hz": 500.0}, "lowpass.500hz"),
        ("lowpass", {"cutoff_hz": 1500}, "lowpass.1500hz"),
        ("resample", {"via_hz": 11_025}, "resample.11025hz"),
        ("resample", {"via_hz": 8000}, "resample.8khz"),
        ("gain", {"gain_db": -6}, "gain.-6db"),
        ("quantise", {"bits": np.int64(8)}, "quantise.8bits"),
        ("clipping", {"clipped_percent": 5}, "clipping.5percent"),
        ("clipping", {"clipped_percent": 1e-7}, "clipping.0.0000001percent"),
        ("speed", {"factor": 1.05}, "speed.1.05x"),
        ("time_stretch", {"factor": 0.9}, "time_stretch.0.9x"),
        ("offset", {"offset_samples": 160}, "offset.160samples"),
        ("echo", {"delay_ms": 100, "gain": 0.4}, "echo.100ms.0.4x"),
        ("echo", {"gain": 0.5}, "echo.100ms.0.5x"),
        ("vorbis", {"quality": 4}, "vorbis.4q"),
    ],
)
def test_ids(name: str, params: dict[str, Any], wanted: str) -> None:
    attack = get_attack(name, **params)
    assert attack.id == wanted
    assert get_attack(wanted) == attack


def test_both_ways_of_writing_a_frequency_are_read() -> None:
    assert get_attack("lowpass.4000hz") == get_attack("lowpass.4khz")


@pytest.mark.parametrize(
    ("name", "params", "text"),
    [
        (
            "mp3",
            {"bitrate_kbps": 65},
            "The 'bitrate_kbps' of mp3 must be one of 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160. Got 65.",
        ),
        ("mp3", {"bitrate_kbps": 64.0}, "Got 64.0."),
        ("mp3", {"bitrate_kbps": "64"}, "Got '64'."),
        ("mp3", {"bitrate_kbps": True}, "Got True."),
        (
            "gain",
            {"gain_db": True},
            "of gain must be a finite number of at least -60 and of at most 60, other than 0. Got",
        ),
        ("gain", {"gain_db": 0}, "other than 0. Got 0."),
        ("gain", {"gain_db": math.nan}, "Got nan."),
        ("gain", {"gain_db": math.inf}, "Got inf."),
        ("gain", {"gain_db": 10**400}, "Got 1000"),
        ("gain", {"gain_db": None}, "Got None."),
        ("gain", {"gain_db": 60.1}, "Got 60.1."),
        ("clipping", {"clipped_percent": 0}, "must be a finite number above 0 and below 100. Got 0."),
        ("clipping", {"clipped_percent": 100}, "Got 100."),
        ("quantise", {"bits": 8.5}, "must be a whole number of at least 2 and of at most 16. Got 8.5."),
        ("offset", {"offset_samples": 0}, "must be a whole number of at least 1. Got 0."),
        ("speed", {"factor": 1}, "other than 1. Got 1."),
        ("speed", {"factor": 2.01}, "Got 2.01."),
    ],
)
def test_refused_strengths(name: str, params: dict[str, Any], text: str) -> None:
    with pytest.raises(AttackError, match=re.escape(text)):
        get_attack(name, **params)


@pytest.mark.parametrize(
    "spec",
    [
        "mp3.64",
        "mp3.64kbps.",
        "mp3.64kbpsx",
        "mp3.64db",
        "mp3.",
        "mp3.x",
        "mp3.64kbps.64kbps",
        "mp3.٦٤kbps",
        "gain.1e3db",
    ],
)
def test_text_that_is_no_id_is_refused_with_the_form(spec: str) -> None:
    with pytest.raises(AttackError, match=r"^An id of (mp3|gain) must have the form '(mp3.<bitrate_kbps>kbps|gain.*)'"):
        get_attack(spec)


def test_a_strength_in_an_id_obeys_the_same_rule() -> None:
    with pytest.raises(AttackError, match=r"The 'bitrate_kbps' of mp3 must be one of .* Got 65\."):
        get_attack("mp3.65kbps")
    with pytest.raises(AttackError, match=r"whole number .* Got 8\.5\."):
        get_attack("quantise.8.5bits")


@pytest.mark.parametrize("declaration", [{"unit": ""}, {"unit": "dB"}, {"unit": "k-bit"}, {"unit": "", "kind": str}])
def test_a_declaration_that_no_id_could_carry_is_refused(declaration: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="parameter"):
        parameter(**declaration)
