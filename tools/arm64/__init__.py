"""arm64 TFLite on a machine of another architecture, by emulation."""
