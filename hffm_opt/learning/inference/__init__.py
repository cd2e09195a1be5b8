"""The model in segments: counted, calibrated to end early, and run over the simulated links."""
