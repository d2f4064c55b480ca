"""Timings, as ratios or processor seconds; no test measures time."""
