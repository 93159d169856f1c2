"""Writing an int8 flatbuffer: which operators compute on codes, constants, conversions."""
