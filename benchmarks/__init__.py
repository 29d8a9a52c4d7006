"""Measurements. They print ratios within one run and write JSON; they never fail a test."""
