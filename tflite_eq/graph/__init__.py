"""Reading and editing TFLite flatbuffers."""
