"""Cells, subjects, the loop over them, and the store of what is finished; knows nothing of tables."""
