"""Results by what is known of the clips: genre, caption, AudioSet label."""
