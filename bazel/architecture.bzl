"""What differs between the architectures the delegate is built for."""

def by_architecture(arm64, x86):
    """The value for the architecture that is built for."""
    return select(
        {
            "@platforms//cpu:aarch64": arm64,
            "@platforms//cpu:x86_64": x86,
        },
        no_match_error = "the delegate is built for x86-64 and aarch64 only",
    )
