"""What ``benchmarks.compare`` times: a process each, those of other projects in virtual environments of their own."""
