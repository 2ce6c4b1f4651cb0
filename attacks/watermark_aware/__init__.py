"""Attacks by somebody who has the watermarker, other marked clips, or the clean twin.

Family `watermark-aware`. It must not know a detector: what asks a detector is for a room of its own, `adversarial`.
"""
