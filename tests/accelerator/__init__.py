"""The delegate as an accelerator of LiteRT's CompiledModel, on whichever LiteRT is installed."""
