"""The version, which is written down in the Python package and nowhere else."""

def version_source(name, out, **kwargs):
    """A source file, made of OUT.in with the version in place of @VERSION@."""
    native.genrule(
        name = name,
        srcs = [
            "//:tflite_eq/version.py",
            out + ".in",
        ],
        outs = [out],
        cmd = "version=$$(sed -n 's/^__version__ = \"\\(.*\\)\"$$/\\1/p' $(location //:tflite_eq/version.py)) && " +
              "test -n \"$$version\" && sed \"s/@VERSION@/$$version/\" $(location %s.in) >$@" % out,
        **kwargs
    )
