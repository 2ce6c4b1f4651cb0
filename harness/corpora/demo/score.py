"""What a demo piece plays: key, chords, bass, melody and drums as timed notes, before any sound is made.

Pitches are counted in scale steps: step 0 is the tonic, step 7 the tonic an octave higher. So chords, passing notes and
voice leading are small-integer arithmetic, and one function, `_midi_pitch`, knows about keys and modes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeVar

import numpy as np

T = TypeVar("T")
Span = tuple[float, float]
Figure = Literal["block", "strum", "up", "up_down", "alberti"]
Walk = Literal["root", "root_fifth", "octaves", "walk"]

STEPS_PER_BEAT: Final = 4


@dataclass(frozen=True)
class Note:
    """One pitched note: start and held length in seconds, MIDI pitch (69 = 440 Hz), velocity in (0, 1]."""

    start_s: float
    held_s: float
    pitch: float
    velocity: float


@dataclass(frozen=True)
class Hit:
    """One drum stroke: start in seconds, the drum's name, velocity in (0, 1]."""

    start_s: float
    drum: str
    velocity: float


@dataclass(frozen=True)
class Part:
    """The notes of one instrument and its level in the mix, in dB relative to the other parts."""

    instrument: str
    notes: tuple[Note, ...]
    level_db: float


@dataclass(frozen=True, kw_only=True)
class Style:
    """A kind of music: the choices a piece draws from; None among instruments or drums leaves that part out."""

    name: str
    tempo_bpm: Span
    modes: tuple[str, ...]
    swing: float = 0.0
    beats_per_bar: tuple[int, ...] = (4,)
    comps: tuple[str, ...] = ("hold",)
    comp_instruments: tuple[str | None, ...] = (None,)
    basses: tuple[str, ...] = ("hold",)
    bass_instruments: tuple[str | None, ...] = (None,)
    leads: tuple[str, ...] = ("medium",)
    lead_instruments: tuple[str | None, ...] = (None,)
    pad_instruments: tuple[str | None, ...] = (None,)
    drums: tuple[str | None, ...] = (None,)
    drums_level_db: float = 0.0
    loudness_db: Span
    reverb_s: Span
    cutoff_hz: Span = (5_000.0, 20_000.0)
    drive: Span = (0.0, 1.0)


@dataclass(frozen=True)
class Score:
    """A written piece: its style, tempo, pitched parts and drum strokes (level of the drums in dB as for `Part`)."""

    style: Style
    tempo_bpm: float
    parts: tuple[Part, ...]
    hits: tuple[Hit, ...]
    drums_level_db: float


MODES: Final[dict[str, tuple[int, ...]]] = {
    "ionian": (0, 2, 4, 5, 7, 9, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "aeolian": (0, 2, 3, 5, 7, 8, 10),
    "harmonic_minor": (0, 2, 3, 5, 7, 8, 11),
}

# Scale degree of the chord of each bar, from 0.
PROGRESSIONS: Final[dict[str, tuple[tuple[int, ...], ...]]] = {
    "ionian": ((0, 4, 5, 3), (0, 5, 3, 4), (1, 4, 0, 5), (0, 3, 4, 3), (0, 2, 3, 4), (5, 3, 0, 4)),
    "dorian": ((0, 3, 0, 3), (0, 6, 3, 0), (0, 1, 2, 3), (0, 2, 6, 3)),
    "phrygian": ((0, 1, 0, 6), (0, 1, 2, 1), (0, 5, 1, 0)),
    "lydian": ((0, 1, 0, 1), (0, 4, 1, 0), (0, 1, 5, 4)),
    "mixolydian": ((0, 6, 3, 0), (0, 3, 6, 3), (0, 4, 6, 3)),
    "aeolian": ((0, 5, 2, 6), (0, 6, 5, 6), (0, 3, 5, 4), (0, 3, 6, 2), (5, 6, 0, 0)),
    "harmonic_minor": ((0, 3, 4, 0), (0, 5, 3, 4), (0, 1, 4, 0), (0, 3, 0, 4)),
}

# Rhythms are one 4/4 bar in sixteenths: X strong, x normal, o soft, a dot carries on. In 3/4 the first 12 are played.
COMPS: Final[dict[str, tuple[str, float, Figure]]] = {
    "hold": ("x...............", 1.0, "block"),
    "halves": ("X.......x.......", 1.0, "block"),
    "quarters": ("X...x...x...x...", 0.8, "block"),
    "eighths": ("X.x.x.x.X.x.x.x.", 0.6, "block"),
    "offbeat": ("..X...X...X...X.", 0.5, "block"),
    "pushed": ("X.....x...x..x..", 0.7, "block"),
    "charleston": ("X.....x.......o.", 0.5, "block"),
    "strum": ("X...x.ox..xox.o.", 1.0, "strum"),
    "slow_strum": ("X.......x.....o.", 1.0, "strum"),
    "arpeggio": ("X.x.x.x.X.x.x.x.", 1.6, "up_down"),
    "slow_arpeggio": ("X...x...x...x...", 2.5, "up"),
    "fast_arpeggio": ("XxxxXxxxXxxxXxxx", 0.9, "up"),
    "alberti": ("X.x.x.x.X.x.x.x.", 1.0, "alberti"),
}

BASSES: Final[dict[str, tuple[str, float, Walk]]] = {
    "hold": ("X...............", 1.0, "root"),
    "halves": ("X.......x.......", 0.95, "root_fifth"),
    "eighths": ("X.x.x.x.X.x.x.x.", 0.8, "root"),
    "octaves": ("X.x.x.x.X.x.x.x.", 0.6, "octaves"),
    "offbeat": ("..X...X...X...X.", 0.8, "root"),
    "pushed": ("X.....x.x.....x.", 0.8, "root_fifth"),
    "sixteenths": ("X.xxX.xxX.xxX.xx", 0.7, "octaves"),
    "walk": ("X...x...X...x...", 0.95, "walk"),
    "tresillo": ("X..x..x.X..x..x.", 0.8, "root_fifth"),
}

LEADS: Final[dict[str, tuple[str, ...]]] = {
    "slow": ("X.......x.......", "X...........x...", "X.....x.....x...", "X..............."),
    "medium": ("X...x.x.x...x...", "X..x..x...x.x...", "..x.x...X.....x.", "X.....x.x.x....."),
    "busy": ("X.xxx.x.X.x.xxx.", "x.x.X..xx.x.x.xx", "X..x..x.X.xxx.x.", "xx.x.xx.X.x.x..."),
}

DRUMS: Final[dict[str, dict[str, str]]] = {
    "rock": {"kick": "X.....x.X.x.....", "snare": "....X.......X..o", "hat": "X.x.X.x.X.x.X.x."},
    "four_floor": {
        "kick": "X...X...X...X...", "clap": "....X.......X...",
        "open_hat": "..x...x...x...x.", "hat": "o.o.o.o.o.o.o.o.",
    },
    "half_time": {"kick": "X.........x.....", "snare": "........X.......", "hat": "x.o.x.o.x.o.x.oo"},
    "breakbeat": {"kick": "X.x.......x.....", "snare": "....X..o.o..X..o", "hat": "x.x.x.x.x.x.x.x."},
    "swing": {
        "ride": "X...X.x.X...X.x.", "hat": "....x.......x...",
        "kick": "o.......o.......", "rim": "......o......o..",
    },
    "bossa": {"kick": "X..xX..xX..xX..x", "rim": "X..x..x...x..x..", "shaker": "xoxoxoxoxoxoxoxo"},
    "tribal": {"tom_low": "X..x..x.X..x..x.", "tom_high": "....x..x....x.xx", "shaker": "x.x.x.x.x.x.x.x."},
    "trap": {"kick": "X......x..X.....", "clap": "........X.......", "hat": "x.x.x.xxx.x.xxxx"},
    "march": {"kick": "X.......X.......", "snare": "x..xX.xxx.xxX.xx", "tom_low": "X.......x......."},
    "brushes": {"shaker": "X.o.x.o.x.o.x.oo", "kick": "o.........o.....", "rim": "....o.......o..."},
    "timpani": {"tom_low": "X.......x...o...", "crash": "o..............."},
    "chip": {"kick": "X.....x.X.....x.", "clap": "....X.......X...", "hat": "x.xxx.x.x.xxx.x."},
}  # fmt: skip


_MINOR: Final = ("aeolian", "dorian", "harmonic_minor", "phrygian")
_MAJOR: Final = ("ionian", "mixolydian", "lydian")

STYLES: Final[tuple[Style, ...]] = (
    Style(
        name="pop", tempo_bpm=(84, 128), modes=("ionian", "aeolian", "mixolydian"), swing=0.03,
        comps=("quarters", "strum", "pushed", "eighths"), comp_instruments=("piano", "guitar", "electric_piano"),
        basses=("eighths", "pushed", "halves"), bass_instruments=("saw_bass", "fm_bass", "plucked_bass"),
        leads=("medium", "busy"), lead_instruments=("flute", "square_lead", "vibraphone", "choir", None),
        pad_instruments=("strings", "saw_pad", None), drums=("rock", "half_time", "four_floor"),
        loudness_db=(-20, -14), reverb_s=(0.4, 1.4),
    ),
    Style(
        name="electronic", tempo_bpm=(110, 150), modes=_MINOR,
        comps=("offbeat", "fast_arpeggio", "pushed"), comp_instruments=("saw_lead", "square_lead", "electric_piano"),
        basses=("offbeat", "sixteenths", "octaves"), bass_instruments=("saw_bass", "fm_bass"),
        leads=("medium", "busy"), lead_instruments=("saw_lead", "bell", None),
        pad_instruments=("saw_pad", None), drums=("four_floor", "breakbeat", "trap"), drums_level_db=1.0,
        loudness_db=(-17, -12), reverb_s=(0.4, 2.0), drive=(0.5, 2.0),
    ),
    Style(
        name="jazz", tempo_bpm=(90, 170), modes=("dorian", "mixolydian", "ionian"), swing=0.16,
        comps=("charleston", "halves"), comp_instruments=("piano", "electric_piano", "guitar"),
        basses=("walk",), bass_instruments=("plucked_bass",),
        leads=("medium", "busy"), lead_instruments=("vibraphone", "brass", "flute", "piano"),
        drums=("swing", "brushes", None), drums_level_db=-6.0,
        loudness_db=(-25, -17), reverb_s=(0.5, 1.2),
    ),
    Style(
        name="ballad", tempo_bpm=(60, 84), modes=("ionian", "aeolian", "harmonic_minor"), beats_per_bar=(4, 3),
        comps=("arpeggio", "alberti", "slow_strum"), comp_instruments=("piano", "guitar", "harp"),
        basses=("hold", "halves"), bass_instruments=("plucked_bass", "fm_bass", None),
        leads=("slow", "medium"), lead_instruments=("flute", "strings", "choir", None),
        pad_instruments=("strings", "choir"), drums=("brushes", "half_time", None), drums_level_db=-5.0,
        loudness_db=(-26, -17), reverb_s=(1.0, 2.5), cutoff_hz=(3_500, 12_000),
    ),
    Style(
        name="ambient", tempo_bpm=(60, 80), modes=("lydian", "dorian", "aeolian", "ionian"),
        comps=("hold", "slow_arpeggio"), comp_instruments=("saw_pad", "choir", "bell", "organ"),
        basses=("hold",), bass_instruments=("organ", "fm_bass", None),
        leads=("slow",), lead_instruments=("bell", "flute", "electric_piano", None),
        pad_instruments=("saw_pad", "choir", "strings"),
        loudness_db=(-34, -18), reverb_s=(2.0, 4.0), cutoff_hz=(1_500, 9_000),
    ),
    Style(
        name="orchestral", tempo_bpm=(66, 132), modes=(*_MINOR, "ionian"), beats_per_bar=(4, 3),
        comps=("hold", "eighths", "halves", "arpeggio"), comp_instruments=("strings", "brass", "harp"),
        basses=("hold", "halves", "eighths"), bass_instruments=("strings", "brass"),
        leads=("slow", "medium"), lead_instruments=("brass", "strings", "flute"),
        pad_instruments=("strings", "choir", None), drums=("timpani", "march", None), drums_level_db=-3.0,
        loudness_db=(-26, -14), reverb_s=(1.5, 3.0), cutoff_hz=(4_000, 14_000),
    ),
    Style(
        name="chiptune", tempo_bpm=(120, 170), modes=("ionian", "mixolydian", "aeolian"),
        comps=("fast_arpeggio", "eighths"), comp_instruments=("square_lead",),
        basses=("eighths", "octaves"), bass_instruments=("square_bass",),
        leads=("medium", "busy"), lead_instruments=("square_lead",),
        drums=("chip", "rock"), drums_level_db=-1.0,
        loudness_db=(-19, -12), reverb_s=(0.2, 0.4),
    ),
    Style(
        name="rock", tempo_bpm=(96, 168), modes=("aeolian", "mixolydian", "dorian"),
        comps=("eighths", "pushed", "strum"), comp_instruments=("distorted_guitar",),
        basses=("eighths", "pushed"), bass_instruments=("plucked_bass", "saw_bass"),
        leads=("medium", "busy"), lead_instruments=("distorted_guitar", "organ", None),
        drums=("rock", "half_time", "breakbeat"), drums_level_db=2.0,
        loudness_db=(-16, -11), reverb_s=(0.3, 1.0), drive=(1.0, 3.0),
    ),
    Style(
        name="guitar_solo", tempo_bpm=(66, 120), modes=(*_MAJOR, *_MINOR), swing=0.04, beats_per_bar=(4, 3),
        comps=("arpeggio", "alberti", "slow_strum", "slow_arpeggio"), comp_instruments=("guitar", "harp"),
        basses=("halves", "hold"), bass_instruments=("guitar",),
        leads=("slow", "medium"), lead_instruments=("guitar", None),
        loudness_db=(-34, -20), reverb_s=(0.6, 1.8), cutoff_hz=(3_000, 14_000),
    ),
    Style(
        name="keyboard_solo", tempo_bpm=(60, 132), modes=(*_MAJOR, *_MINOR), swing=0.02, beats_per_bar=(4, 3),
        comps=("alberti", "halves", "arpeggio", "quarters"), comp_instruments=("piano", "organ", "electric_piano"),
        basses=("halves", "hold"), bass_instruments=("piano", "organ"),
        leads=("slow", "medium", "busy"), lead_instruments=("piano", "organ"),
        loudness_db=(-30, -18), reverb_s=(0.6, 2.5), cutoff_hz=(2_500, 14_000),
    ),
    Style(
        name="mallets", tempo_bpm=(84, 144), modes=("lydian", "dorian", "mixolydian", "phrygian"), beats_per_bar=(4, 3),
        comps=("arpeggio", "fast_arpeggio", "eighths"), comp_instruments=("marimba", "vibraphone"),
        basses=("halves", "tresillo"), bass_instruments=("marimba", "plucked_bass"),
        leads=("medium", "busy"), lead_instruments=("bell", "vibraphone", "marimba", "flute"),
        pad_instruments=("choir", None), drums=("tribal", "bossa", None), drums_level_db=-3.0,
        loudness_db=(-25, -16), reverb_s=(0.5, 1.8),
    ),
    Style(
        name="latin", tempo_bpm=(88, 132), modes=("dorian", "ionian", "harmonic_minor"), swing=0.02,
        comps=("pushed", "strum", "charleston"), comp_instruments=("guitar", "piano"),
        basses=("tresillo", "pushed"), bass_instruments=("plucked_bass", "fm_bass"),
        leads=("medium", "busy"), lead_instruments=("brass", "flute", "guitar"),
        drums=("bossa", "tribal"), drums_level_db=-1.0,
        loudness_db=(-22, -15), reverb_s=(0.4, 1.2),
    ),
)  # fmt: skip

_VELOCITY: Final = {"X": 0.95, "x": 0.75, "o": 0.45}
_CHORD_CENTRE, _PAD_CENTRE, _LEAD_CENTRE, _BASS_CENTRE = 7, 9, 14, -9
_LEAD_RANGE: Final = (10, 21)


def write_score(rng: np.random.Generator, duration_s: float) -> Score:
    """Write a piece of `duration_s` seconds: all notes start within it, the last may end after it."""
    return _Writer(rng, duration_s).score()


@dataclass(frozen=True)
class _Stroke:
    """One onset of a rhythm: its place in sixteenths from the bar's start, length to the next onset, velocity."""

    step: int
    length: int
    velocity: float


def _pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    return options[int(rng.integers(len(options)))]


def _strokes(rhythm: str, steps: int) -> list[_Stroke]:
    """Read a rhythm string; a bar that opens with a rest keeps it."""
    onsets = [step for step in range(steps) if rhythm[step] in _VELOCITY]
    ends = [*onsets, steps][1:]
    return [_Stroke(on, end - on, _VELOCITY[rhythm[on]]) for on, end in zip(onsets, ends, strict=True)]


def _nearest(degree: int, centre: int) -> int:
    """Move a scale degree by octaves to within half an octave of `centre`: this alone gives smooth voice leading."""
    return degree + 7 * round((centre - degree) / 7)


class _Writer:
    """Holds what all parts of one piece share: the metre, the clock, the key and the chord of each bar."""

    def __init__(self, rng: np.random.Generator, duration_s: float) -> None:
        self._rng = rng
        self._duration_s = duration_s
        self._style = _pick(rng, STYLES)
        self._tempo_bpm = float(rng.uniform(*self._style.tempo_bpm))
        self._beats = _pick(rng, self._style.beats_per_bar)
        self._steps = self._beats * STEPS_PER_BEAT
        self._swing = self._style.swing * float(rng.uniform(0.5, 1.0))
        self._timing_s = float(rng.uniform(0.0, 0.008))
        mode = _pick(rng, self._style.modes)
        self._scale = MODES[mode]
        self._tonic = int(rng.integers(48, 60))
        bar_s = self._beats * 60.0 / self._tempo_bpm
        self._bars = int(np.ceil(duration_s / bar_s))
        self._chords = self._progression(mode)
        self._chord_size = 4 if rng.random() < 0.4 else 3

    def score(self) -> Score:
        """Write all parts; a part that would come out empty is left away."""
        style = self._style
        drafts = [
            (_pick(self._rng, style.comp_instruments), self._comp, 0.0),
            (_pick(self._rng, style.bass_instruments), self._bass, 2.0),
            (_pick(self._rng, style.lead_instruments), self._lead, 0.0),
            (_pick(self._rng, style.pad_instruments), self._pad, -5.0),
        ]
        parts = []
        for instrument, write, level_db in drafts:
            if instrument is None:
                continue
            notes = tuple(note for note in write() if note.start_s < self._duration_s)
            if notes:
                parts.append(Part(instrument, notes, level_db + float(self._rng.normal(0.0, 2.0))))
        hits = tuple(hit for hit in self._drums() if hit.start_s < self._duration_s)
        drums_db = 1.0 + style.drums_level_db + float(self._rng.normal(0.0, 2.0))
        return Score(style, self._tempo_bpm, tuple(parts), hits, drums_db)

    def _progression(self, mode: str) -> list[int]:
        """The chord of each bar; starting anywhere in the cycle keeps short pieces from all opening on the tonic."""
        cycle = _pick(self._rng, PROGRESSIONS[mode])
        start = int(self._rng.integers(len(cycle)))
        return [cycle[(start + bar) % len(cycle)] for bar in range(self._bars)]

    def _tones(self, bar: int, size: int | None = None) -> list[int]:
        """Scale steps of the bar's chord: thirds stacked on its root."""
        return [self._chords[bar] + 2 * third for third in range(size or self._chord_size)]

    def _midi_pitch(self, step: int) -> float:
        octave, degree = divmod(step, 7)
        return float(self._tonic + 12 * octave + self._scale[degree])

    def _seconds(self, bar: int, step: float) -> float:
        """Clock time of a step with swing: the off-beat eighth comes late, and what lies between moves along."""
        beat, within = divmod(step / STEPS_PER_BEAT, 1.0)
        late = 0.5 + self._swing
        swung = within * late / 0.5 if within < 0.5 else late + (within - 0.5) * (1.0 - late) / 0.5
        return (bar * self._beats + beat + swung) * 60.0 / self._tempo_bpm

    def _note(self, bar: int, stroke: _Stroke, step: int, gate: float = 1.0) -> Note:
        """Put a scale step on the clock, with a human's uneven timing and touch."""
        start_s = self._seconds(bar, stroke.step)
        held_s = (self._seconds(bar, stroke.step + stroke.length) - start_s) * gate
        jitter_s = abs(float(self._rng.normal(0.0, self._timing_s)))
        return Note(start_s + jitter_s, held_s, self._midi_pitch(step), self._touch(stroke.velocity))

    def _touch(self, velocity: float) -> float:
        return float(np.clip(velocity * self._rng.normal(1.0, 0.1), 0.2, 1.0))

    def _comp(self) -> Iterator[Note]:
        """Accompaniment: the chords as blocks, strums or broken figures."""
        rhythm, gate, figure = COMPS[_pick(self._rng, self._style.comps)]
        centre = _CHORD_CENTRE + int(self._rng.integers(-2, 3))
        strokes = _strokes(rhythm, self._steps)
        for bar in range(self._bars):
            voicing = sorted(_nearest(tone, centre) for tone in self._tones(bar))
            for count, stroke in enumerate(strokes):
                yield from self._figure(bar, stroke, count, voicing, gate, figure)

    def _figure(
        self, bar: int, stroke: _Stroke, count: int, voicing: list[int], gate: float, figure: Figure
    ) -> Iterator[Note]:
        if figure in ("block", "strum"):
            spread_s = 0.018 if figure == "strum" else 0.002
            ordered = voicing if count % 2 == 0 else voicing[::-1]
            for place, step in enumerate(ordered):
                note = self._note(bar, stroke, step, gate)
                yield replace(note, start_s=note.start_s + place * spread_s)
            return
        up = [*voicing, voicing[0] + 7]
        cycle = {"up": up, "up_down": up + up[-2:0:-1], "alberti": [up[0], up[2], up[1], up[2]]}[figure]
        yield self._note(bar, stroke, cycle[count % len(cycle)], gate)

    def _pad(self) -> Iterator[Note]:
        """A bed of held chords; it never rests, so no second of a piece is without sound."""
        stroke = _Stroke(0, self._steps, 0.7)
        for bar in range(self._bars):
            for tone in self._tones(bar, 3):
                yield self._note(bar, stroke, _nearest(tone, _PAD_CENTRE))

    def _bass(self) -> Iterator[Note]:
        rhythm, gate, walk = BASSES[_pick(self._rng, self._style.basses)]
        strokes = _strokes(rhythm, self._steps)
        for bar in range(self._bars):
            root = _nearest(self._chords[bar], _BASS_CENTRE)
            for count, stroke in enumerate(strokes):
                yield self._note(bar, stroke, root + self._bass_offset(walk, bar, count), gate)

    def _bass_offset(self, walk: Walk, bar: int, count: int) -> int:
        """Scale steps above the chord's root; a walking bass leads into the next bar's root by step."""
        if walk == "walk" and count == self._beats - 1:
            here = _nearest(self._chords[bar], _BASS_CENTRE)
            following = _nearest(self._chords[(bar + 1) % self._bars], _BASS_CENTRE)
            return following + (1 if following < here else -1) - here
        cycle = {"root": (0,), "root_fifth": (0, 4), "octaves": (0, 7), "walk": (0, 2, 4, 2)}[walk]
        return cycle[count % len(cycle)]

    def _lead(self) -> Iterator[Note]:
        """Melody: chord tones where the beat is strong, steps between them; two rhythms recur as a motif."""
        options = LEADS[_pick(self._rng, self._style.leads)]
        motif = [_pick(self._rng, options) for _ in range(2)]
        here = _LEAD_CENTRE + int(self._rng.integers(-2, 3))
        heading = 1
        for bar in range(self._bars):
            rhythm = motif[bar % 2] if bar % 4 < 3 else _pick(self._rng, options)
            for stroke in _strokes(rhythm, self._steps):
                if self._rng.random() < 0.3 or not _LEAD_RANGE[0] < here < _LEAD_RANGE[1]:
                    heading = 1 if here < _LEAD_CENTRE else -1
                here += heading * int(self._rng.integers(1, 3))
                if stroke.step % 8 == 0 or stroke.length >= 6:
                    here = self._chord_tone_near(here, bar)
                yield self._note(bar, stroke, here, 0.95)

    def _chord_tone_near(self, step: int, bar: int) -> int:
        return min((_nearest(tone, step) for tone in self._tones(bar, 3)), key=lambda tone: abs(tone - step))

    def _drums(self) -> Iterator[Hit]:
        """Drums: one pattern throughout, now and then a bar out, a fill before every fourth bar."""
        kit = _pick(self._rng, self._style.drums)
        if kit is None:
            return
        enters = int(self._rng.integers(0, 3)) if self._bars > 4 else 0
        for bar in range(enters, self._bars):
            fill = bar % 4 == 3 and self._rng.random() < 0.6
            for drum, rhythm in DRUMS[kit].items():
                yield from self._drum_bar(bar, drum, rhythm, self._steps - 4 if fill else self._steps)
            if fill:
                yield from self._fill(bar)
            if bar == enters and self._rng.random() < 0.3:
                yield Hit(self._seconds(bar, 0), "crash", 0.6)

    def _drum_bar(self, bar: int, drum: str, rhythm: str, steps: int) -> Iterator[Hit]:
        for stroke in _strokes(rhythm, steps):
            soft = stroke.velocity <= _VELOCITY["o"]
            if soft and self._rng.random() < 0.3:
                continue
            yield self._hit(bar, stroke.step, drum, stroke.velocity)

    def _fill(self, bar: int) -> Iterator[Hit]:
        for step, drum in enumerate(("snare", "snare", "tom_high", "tom_low"), start=self._steps - 4):
            if self._rng.random() < 0.85:
                yield self._hit(bar, step, drum, 0.7)

    def _hit(self, bar: int, step: int, drum: str, velocity: float) -> Hit:
        jitter_s = abs(float(self._rng.normal(0.0, self._timing_s)))
        return Hit(self._seconds(bar, step) + jitter_s, drum, self._touch(velocity))
