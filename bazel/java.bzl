"""Java without Bazel's Java rules, which download their toolchain: jars, and tests with JUnit 5."""

_TOOLS = {
    "_javac": attr.label(default = "@jdk//:javac", allow_single_file = True),
    "_zip": attr.label(default = "//bazel:deterministic_zip.py", allow_single_file = True),
}

def _java_jar_impl(ctx):
    jar = ctx.actions.declare_file(ctx.label.name + ".jar")
    classes = ctx.actions.declare_directory(ctx.label.name + "_classes")
    ctx.actions.run_shell(
        command = '"$1" --release "$2" -Xlint:all,-options -Werror -encoding UTF-8 -classpath "$3" -d "$4" "${@:5}"',
        arguments = [
            ctx.file._javac.path,
            str(ctx.attr.release),
            ":".join([f.path for f in ctx.files.deps]),
            classes.path,
        ] + [f.path for f in ctx.files.srcs],
        inputs = ctx.files.srcs + ctx.files.deps,
        outputs = [classes],
        tools = [ctx.file._javac],
        mnemonic = "Javac",
    )
    ctx.actions.run_shell(
        command = 'python3 "$1" "$2" --tree "$3"',
        arguments = [ctx.file._zip.path, jar.path, classes.path],
        inputs = [ctx.file._zip, classes],
        outputs = [jar],
        use_default_shell_env = True,
        mnemonic = "Jar",
    )
    return [DefaultInfo(files = depset([jar]))]

java_jar = rule(
    implementation = _java_jar_impl,
    attrs = dict(
        srcs = attr.label_list(allow_files = [".java"], mandatory = True),
        deps = attr.label_list(allow_files = [".jar"]),
        release = attr.int(default = 8, doc = "The Java version whose language and library it is held to."),
        **_TOOLS
    ),
    doc = "Compiles sources to NAME.jar, the same bytes every time.",
)

def _folders(files):
    """The folders of files as the test sees them, separated by colons."""
    return ":".join(depset([f.short_path.rpartition("/")[0] for f in files]).to_list())

def _junit_test_impl(ctx):
    script = ctx.actions.declare_file(ctx.label.name + ".sh")
    files = {name: target.files.to_list()[0] for target, name in ctx.attr.properties.items()}
    flags = ctx.attr.jvm_flags + ["-Djava.library.path=" + _folders(ctx.files.native_libraries)] + [
        "-D%s=%s" % (name, file.short_path)
        for name, file in files.items()
    ]
    class_path = ":".join([f.short_path for f in ctx.files.deps + [ctx.file.tests]])
    ctx.actions.write(script, """#!/bin/bash
export LD_LIBRARY_PATH="{loader}"
exec timeout --kill-after=10 {seconds} "{java}" {flags} -jar "{junit}" execute --disable-banner --disable-ansi-colors \\
  --details=tree --fail-if-no-tests --class-path "{class_path}" --scan-class-path "{tests}"
""".format(
        loader = _folders(ctx.files.loader_libraries),
        seconds = ctx.attr.watchdog_seconds,
        java = ctx.file._java.short_path,
        flags = " ".join(['"%s"' % flag for flag in flags]),
        junit = ctx.file._junit.short_path,
        class_path = class_path,
        tests = ctx.file.tests.short_path,
    ), is_executable = True)
    runfiles = ctx.runfiles(
        files = ctx.files.deps + ctx.files.native_libraries + ctx.files.loader_libraries + files.values() +
                [ctx.file.tests, ctx.file._junit, ctx.file._java],
    )
    return [DefaultInfo(executable = script, runfiles = runfiles)]

junit_test = rule(
    implementation = _junit_test_impl,
    test = True,
    attrs = {
        "tests": attr.label(allow_single_file = [".jar"], mandatory = True, doc = "The jar whose test classes are run."),
        "deps": attr.label_list(allow_files = [".jar"], doc = "The rest of the class path."),
        "native_libraries": attr.label_list(allow_files = True, doc = "What System.loadLibrary finds."),
        "loader_libraries": attr.label_list(allow_files = True, doc = "What native libraries need, by LD_LIBRARY_PATH."),
        "properties": attr.label_keyed_string_dict(allow_files = True, doc = "Files, and the system properties that name them."),
        "jvm_flags": attr.string_list(),
        "watchdog_seconds": attr.int(default = 120, doc = "A test that hangs is ended."),
        "_java": attr.label(default = "@jdk//:java", allow_single_file = True),
        "_junit": attr.label(default = "@junit//:file.jar", allow_single_file = True),
    },
    doc = "Runs the JUnit 5 tests of a jar.",
)
