"""What a study of adversaries writes: tables, pictures, words."""
