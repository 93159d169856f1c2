"""Headers for the Python binding: those of the interpreter it is built for, and pybind11's.

The interpreter is TFLITE_EQ_PYTHON or python3. pybind11 is looked for at PYBIND11_INCLUDE, in the interpreter's packages,
and in /usr/include (Debian's pybind11-dev).
"""

_BUILD = """
load("@rules_cc//cc:defs.bzl", "cc_library")

cc_library(
    name = "headers",
    hdrs = glob(["python/**/*.h", "pybind11/pybind11/**/*.h"]),
    includes = ["python", "pybind11"],
    visibility = ["//visibility:public"],
)
"""

_FIND = """
import pathlib, sysconfig
print(sysconfig.get_paths()["include"])
try:
    import pybind11
    print(pybind11.get_include())
except ImportError:
    print("/usr/include")
"""

def _python_headers_impl(ctx):
    python = ctx.os.environ.get("TFLITE_EQ_PYTHON") or ctx.which("python3")
    if not python:
        fail("no python3 in PATH: install it, or set TFLITE_EQ_PYTHON to an interpreter")
    found = ctx.execute([python, "-c", _FIND])
    if found.return_code != 0:
        fail("%s does not run: %s" % (python, found.stderr))
    headers, pybind11 = found.stdout.splitlines()
    pybind11 = ctx.os.environ.get("PYBIND11_INCLUDE") or pybind11
    if not ctx.path(headers + "/Python.h").exists:
        fail("%s has no headers (%s/Python.h): apt-get install python3-dev" % (python, headers))
    if not ctx.path(pybind11 + "/pybind11/pybind11.h").exists:
        fail("no pybind11 in %s: apt-get install pybind11-dev, or pip install pybind11" % pybind11)
    ctx.symlink(headers, "python")
    ctx.symlink(pybind11 + "/pybind11", "pybind11/pybind11")
    ctx.file("BUILD", _BUILD)

python_headers = repository_rule(
    implementation = _python_headers_impl,
    environ = ["TFLITE_EQ_PYTHON", "PYBIND11_INCLUDE", "PATH"],
    local = True,
)
