"""Makes a folder that the build takes for an Android NDK, where the real one cannot be had.

usage: stand_in_ndk.py FOLDER [--revision 27.2.12479018]

It has the real one's layout: clang and the LLVM tools (Debian's clang-19, lld-19, llvm-19), a
sysroot with headers and with libraries to link against, and source.properties. The headers
(sysroot/ beside this file) declare what the delegate uses and no more. The libraries hold the names
in bionic_symbols.txt and its sibling, and no code. A library built with it has the imports, exports
and alignment of one built with the NDK, and about its size; whether it runs on a phone only a phone
can tell.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
SYMBOLS = HERE.parent / "bionic_symbols.txt"
SYMBOLS_OF_PROGRAMS = HERE.parent / "bionic_symbols_of_programs.txt"
TARGET = "aarch64-linux-android21"
LLVM = 19
# libc and its companions give their symbols this version; liblog did not at API 21.
VERSIONED = ("libc", "libm", "libdl")


def read_symbols(*lists: Path) -> dict[str, list[str]]:
    """The symbols in files like ``bionic_symbols.txt``, by library."""
    symbols: dict[str, list[str]] = {"libc": [], "libm": [], "libdl": [], "liblog": []}
    for path in lists:
        for line in path.read_text().splitlines():
            if line and not line.startswith("#"):
                library, symbol = line.split()[:2]
                symbols[library].append(symbol)
    return symbols


def llvm_tool(name: str) -> Path:
    """The program ``name`` of LLVM as Debian installs it."""
    found = shutil.which(f"{name}-{LLVM}")
    if found is None:
        raise SystemExit(
            f"stand_in_ndk.py: no {name}-{LLVM}: "
            f"apt-get install clang-{LLVM} lld-{LLVM} llvm-{LLVM}"
        )
    return Path(found)


def java_include() -> Path:
    """Where jni.h is; the NDK has its own, and a JDK's declares the same functions."""
    home = os.environ.get("JAVA_HOME")
    if not home:
        javac = shutil.which("javac")
        if javac is None:
            raise SystemExit("stand_in_ndk.py: no javac: apt-get install default-jdk-headless")
        home = str(Path(javac).resolve().parents[1])
    return Path(home) / "include"


def write_program(path: Path, command: str) -> None:
    """A shell script that runs ``command`` with its own arguments behind."""
    path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    path.chmod(0o755)


def make_headers(include: Path) -> None:
    """The sysroot's headers."""
    shutil.copytree(HERE / "sysroot" / "include", include)
    shutil.copy(java_include() / "jni.h", include)
    shutil.copy(java_include() / "linux" / "jni_md.h", include)


def make_clang(folder: Path) -> Path:
    """The compiler with the linker, its own headers and its (empty) run-time library."""
    programs = folder / "bin"
    programs.mkdir(parents=True)
    resources = folder / "lib" / "clang" / str(LLVM)
    headers = Path(
        subprocess.run(
            [llvm_tool("clang"), "-print-resource-dir"], check=True, capture_output=True, text=True
        ).stdout.strip()
    )
    resources.mkdir(parents=True)
    (resources / "include").symlink_to(headers / "include")
    for tool in ("ar", "nm", "objcopy", "objdump", "strip"):
        (programs / f"llvm-{tool}").symlink_to(llvm_tool(f"llvm-{tool}"))
    (programs / "ld.lld").symlink_to(llvm_tool("ld.lld"))
    clang = programs / "clang"
    write_program(
        clang,
        f'"{llvm_tool("clang")}" --sysroot="{folder}/sysroot" -resource-dir="{resources}" '
        # What the NDK's clang is configured to do by itself.
        f'--ld-path="{programs}/ld.lld" --rtlib=compiler-rt --unwindlib=libunwind '
        "-Qunused-arguments",
    )
    runtime = resources / "lib" / "linux"
    runtime.mkdir(parents=True)
    empty_archive(runtime / "libclang_rt.builtins-aarch64-android.a")
    return clang


def empty_archive(path: Path) -> None:
    """An archive without members."""
    subprocess.run([llvm_tool("llvm-ar"), "rcs", path], check=True)


def make_libraries(clang: Path, libraries: Path) -> None:
    """Libraries that hold names alone, and the objects a program or library starts with."""
    libraries.mkdir(parents=True)
    compile_ = [clang, f"--target={TARGET}", "-nostdlib", "-fno-builtin", "-w"]
    for library, symbols in read_symbols(SYMBOLS, SYMBOLS_OF_PROGRAMS).items():
        source = libraries / f"{library}.c"
        source.write_text("".join(f"void {symbol}(void) {{}}\n" for symbol in symbols))
        script = libraries / f"{library}.lds"
        script.write_text("LIBC {};\n")
        version = [f"-Wl,--version-script={script}"] if library in VERSIONED else []
        output = libraries / f"{library}.so"
        subprocess.run(
            [*compile_, "-shared", f"-Wl,-soname,{library}.so", *version, source, "-o", output],
            check=True,
        )
    for name, text in {
        "crtbegin_so": "extern void __cxa_finalize(void*);\n"
        '__attribute__((visibility("hidden"))) void* __dso_handle = &__dso_handle;\n'
        "__attribute__((destructor)) static void end(void) { __cxa_finalize(&__dso_handle); }\n",
        "crtend_so": "",
        "crtbegin_dynamic": "extern int main(int, char**);\nvoid _start(void) { main(0, 0); }\n",
        "crtend_android": "",
    }.items():
        source = libraries / f"{name}.c"
        source.write_text(text)
        subprocess.run([*compile_, "-c", source, "-o", libraries / f"{name}.o"], check=True)
    for name in ("libc++_static.a", "libc++abi.a", "libunwind.a"):
        empty_archive(libraries / name)


def make(folder: Path, revision: str) -> None:
    """The whole folder, made afresh."""
    if folder.exists():
        if not (folder / "source.properties").is_file():
            raise SystemExit(f"stand_in_ndk.py: {folder} exists and is no NDK; it is left alone")
        shutil.rmtree(folder)
    toolchain = folder.resolve() / "toolchains" / "llvm" / "prebuilt" / "linux-x86_64"
    clang = make_clang(toolchain)
    make_headers(toolchain / "sysroot" / "usr" / "include")
    target = toolchain / "sysroot" / "usr" / "lib" / "aarch64-linux-android" / "21"
    make_libraries(clang, target)
    properties = f"Pkg.Desc = Stand-in for the Android NDK\nPkg.Revision = {revision}\n"
    (folder / "source.properties").write_text(properties)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--revision", default="27.2.12479018")
    arguments = parser.parse_args()
    make(arguments.folder, arguments.revision)


if __name__ == "__main__":
    main()
