"""What ``benchmarks.scale`` is made of: runs without a forward pass, what their processes take, planning in laps."""
