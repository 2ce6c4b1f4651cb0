"""The report of one run: HTML for people, Markdown for a pull request, LaTeX for a paper, CSV for each figure.

It reads what a run wrote, and knows nothing of how it was run and of other runs.
"""
