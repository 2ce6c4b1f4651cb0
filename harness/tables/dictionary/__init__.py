"""The data dictionary: files, columns, metrics and rules, as data and as a page."""
