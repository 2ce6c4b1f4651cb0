"""Where the sound of a video is, and why it is not; the only folder that knows yt-dlp."""
