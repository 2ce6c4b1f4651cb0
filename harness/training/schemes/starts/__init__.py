"""Where a training starts: a matched filter in bands, or lines read by their magnitude."""
