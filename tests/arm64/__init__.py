"""The delegate's arm64 build, run under emulation: ``make test-arm64``."""
