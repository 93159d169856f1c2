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

def _junit_test_impl(ctx):
    script = ctx.actions.declare_file(ctx.label.name + ".sh")
    jars = [f.short_path for f in ctx.files.deps]
    flags = [ctx.expand_location(flag, ctx.attr.data) for flag in ctx.attr.jvm_flags]
    environment = ["export %s=%s" % (name, ctx.expand_location(value, ctx.attr.data)) for name, value in ctx.attr.env.items()]
    lines = ["#!/bin/bash", "set -euo pipefail"] + environment + [
        'exec timeout --kill-after=10 "%d" "%s" %s \\' % (ctx.attr.watchdog_seconds, ctx.file._java.short_path, " ".join(flags)),
        '  -jar "%s" execute --disable-banner --details=tree --disable-ansi-colors --fail-if-no-tests \\' %
        ctx.file._junit.short_path,
        '  --class-path "%s" --scan-class-path "%s"' % (":".join(jars), ctx.file.tests.short_path),
        "",
    ]
    ctx.actions.write(script, "\n".join(lines), is_executable = True)
    runfiles = ctx.runfiles(files = ctx.files.deps + ctx.files.data + [ctx.file.tests, ctx.file._junit, ctx.file._java])
    return [DefaultInfo(executable = script, runfiles = runfiles)]

junit_test = rule(
    implementation = _junit_test_impl,
    test = True,
    attrs = {
        "tests": attr.label(allow_single_file = [".jar"], mandatory = True, doc = "The jar whose test classes are run."),
        "deps": attr.label_list(allow_files = [".jar"], doc = "The class path, the tests' own jar included."),
        "data": attr.label_list(allow_files = True),
        "jvm_flags": attr.string_list(doc = "With $(rootpath ...)."),
        "env": attr.string_dict(doc = "With $(rootpath ...)."),
        "watchdog_seconds": attr.int(default = 120, doc = "A test that hangs is ended."),
        "_java": attr.label(default = "@jdk//:java", allow_single_file = True),
        "_junit": attr.label(default = "@junit//:file.jar", allow_single_file = True),
    },
    doc = "Runs the JUnit 5 tests of a jar.",
)
