"""Permanent, blocked and transient are told apart by what YouTube and yt-dlp say; secrets stay out of the words."""

from types import SimpleNamespace

import pytest

from sealproof.harness.corpora.musiccaps.cutting.errors import CutError
from sealproof.harness.corpora.musiccaps.cutting.http_ranges import FetchError
from sealproof.harness.corpora.musiccaps.youtube.failures import classify, clean

# Texts of YouTube, and of yt-dlp 2026.10.26 where it adds its own.
SAID = [
    ("permanent", "private", "Private video. Sign in if you've been granted access to this video"),
    ("permanent", "private", "Video unavailable. This video is private"),
    ("permanent", "private", "Private video. Please sign in to verify that you may see it."),
    ("permanent", "account terminated", "Video unavailable. This video is no longer available because the YouTube "
     "account associated with this video has been terminated."),
    ("permanent", "removed", "Video unavailable. This video has been removed by the uploader"),
    ("permanent", "removed", "This video has been removed for violating YouTube's Community Guidelines"),
    ("permanent", "copyright", "Video unavailable. This video is no longer available due to a copyright claim by X"),
    ("permanent", "not in this country", "Video unavailable. This video contains content from SME, who has blocked "
     "it in your country on copyright grounds"),
    ("permanent", "not in this country", "The uploader has not made this video available in your country"),
    ("permanent", "age check", "Sign in to confirm your age. This video may be inappropriate for some users."),
    ("permanent", "members only", "Join this channel to get access to members-only content like this video"),
    ("permanent", "paid", "This video requires payment to watch"),
    ("permanent", "DRM", "This video is DRM protected"),
    ("permanent", "unavailable", "Video unavailable"),
    ("permanent", "unavailable", "This live stream recording is not available."),
    ("permanent", "not found", "Unable to download webpage: HTTP Error 404: Not Found"),
    ("blocked", "bot check", "Sign in to confirm you\u2019re not a bot. Use --cookies-from-browser or --cookies"),
    ("blocked", "bot check", "Sign in to confirm you're not a bot."),
    ("blocked", "bot check", "Video unavailable. YouTube is requiring a captcha challenge before playback"),
    ("blocked", "bot check", "All player responses are invalid. Your IP is likely being blocked by Youtube"),
    ("blocked", "too many requests", "Video unavailable. This content isn't available, try again later. The current "
     "session has been rate-limited by YouTube for up to an hour."),
    ("blocked", "too many requests", "This content isn\u2019t available, try again later."),
    ("blocked", "too many requests", "Unable to download API page: HTTP Error 429: Too Many Requests"),
    ("transient", "no audio format", "Requested format is not available. Use --list-formats for a list"),
    ("transient", "no audio format", "No video formats found!"),
    ("transient", "still processing", "We're processing this video. Check back later."),
    ("transient", "refused (403)", "unable to download video data: HTTP Error 403: Forbidden"),
    ("transient", "server error", "HTTP Error 503: Service Unavailable"),
    ("transient", "timed out", "The read operation timed out"),
    ("transient", "network", "Failed to resolve 'www.youtube.com' ([Errno -3] Temporary failure in name resolution)"),
    ("transient", "network", "4096 bytes read, 1234 more expected"),
    ("transient", "network", "('Connection aborted.', RemoteDisconnected())"),
    ("transient", "network", "[Errno 101] Network is unreachable"),
    ("transient", "certificate", "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "reason", "words"), SAID, ids=[words[:40] for _, _, words in SAID])
def test_what_was_said_is_told_apart(kind: str, reason: str, words: str) -> None:
    from yt_dlp.utils import DownloadError

    failure = classify(DownloadError(f"\x1b[0;31mERROR:\x1b[0m [youtube] -AAAAAAAAAA: {words}"))
    assert (failure.kind, failure.reason) == (kind, reason)
    assert not failure.words.startswith("ERROR")
    assert "youtube]" not in failure.words


def test_an_address_that_went_stale_does_not_make_a_video_gone() -> None:
    error = ConnectionError("HTTP Error 404: Not Found")
    assert classify(error).kind == "permanent"
    assert classify(error, fetching=True).kind == "transient"
    assert classify(Exception("HTTP Error 429: Too Many Requests"), fetching=True).kind == "blocked"


@pytest.mark.parametrize(
    ("reason", "kind"),
    [("too_short", "permanent"), ("no_audio", "permanent"), ("truncated", "transient"), ("undecodable", "transient")],
)
def test_what_cannot_be_cut(reason: str, kind: str) -> None:
    # The words say "timed out", the reason counts.
    failure = classify(CutError(reason, "The video timed out"), fetching=True)
    assert (failure.kind, failure.reason) == (kind, reason.replace("_", " "))


def test_what_nobody_foresaw_is_transient_and_named() -> None:
    failure = classify(KeyError("adaptiveFormats"))
    assert (failure.kind, failure.reason) == ("transient", "unexpected")
    assert failure.words == "KeyError: 'adaptiveFormats'"
    assert classify(FetchError("no idea")).reason == "network"
    assert classify(ValueError()).words == "ValueError: ValueError"


def test_secrets_stay_out_of_the_words() -> None:
    said = (
        "Unable to connect to proxy http://me:hunter2@proxy.example:8080/ for "
        "https://rr1---sn.googlevideo.com/videoplayback?expire=1&ip=203.0.113.9&sig=SECRET: timed out\n"
        "Cookie: SID=SECRET; HSID=SECRET"
    )
    words = clean(said)
    assert "proxy.example:8080" in words
    assert "googlevideo.com/videoplayback" in words
    for secret in ("hunter2", "SECRET", "203.0.113.9", "me:"):
        assert secret not in words


def test_words_are_one_printable_line_of_bounded_length() -> None:
    words = clean("\x1b[31mred\x1b[0m\r\n\x07bell \u202eturned\u2066 \x9b31m" + "x" * 1000)
    assert words.isprintable()
    assert len(words) == 300
    assert words.startswith("red bell turned")


def test_how_long_to_wait_is_read_wherever_yt_dlp_hides_it() -> None:
    from yt_dlp.utils import DownloadError, ExtractorError

    answer = Exception("HTTP Error 429: Too Many Requests")
    answer.response = SimpleNamespace(headers={"Retry-After": "120"})  # type: ignore[attr-defined]
    cause = ExtractorError("HTTP Error 429: Too Many Requests", cause=answer)
    try:
        raise cause
    except ExtractorError as error:
        wrapped = DownloadError(str(error), (type(error), error, error.__traceback__))
    assert classify(wrapped).retry_after_s == 120
    assert classify(Exception("HTTP Error 429")).retry_after_s is None
