"""How a metric gets its interval: groups, resamples, intervals; knows no metric of detectors."""
