package org.tfliteeq;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tensorflow.lite.Delegate;

/** What an app sees where the native library is absent or not the right one; each case needs a JVM of its own. */
class LoadingTest {
  private static final String FILE = "libtflite_eq_delegate.so";
  private static final String MARK = "LoadingTest: ";
  private static final String HERE = System.getProperty("os.arch");

  /** The child JVM. Its lines begin with a mark: the virtual machine writes warnings of its own. */
  static final class Child {
    public static void main(String[] arguments) {
      say("supported " + EqDelegate.isSupported());
      for (int attempt = 0; attempt < 2; ++attempt) {
        try {
          new EqDelegate().close();
          say("opened");
        } catch (UnsupportedOperationException error) {
          say("refused " + error.getMessage());
          say("cause " + error.getCause().getClass().getName());
        }
      }
    }

    private static void say(String line) {
      System.out.println(MARK + line);
    }
  }

  @Test
  void rightLibrary() throws Exception {
    assertEquals("supported true\nopened\nopened\n", runWith(System.getProperty("java.library.path"), HERE));
  }

  @Test
  void absentLibrary(@TempDir Path folder) throws Exception {
    checkRefusal(runWith(folder.toString(), HERE));
  }

  @Test
  void libraryForAnotherProcessor(@TempDir Path folder) throws Exception {
    byte[] library = Files.readAllBytes(find());
    boolean arm = library[18] == (byte) 183; // e_machine: EM_AARCH64
    library[18] = (byte) (arm ? 62 : 183); // EM_X86_64
    Files.write(folder.resolve(FILE), library);
    checkRefusal(runWith(folder.toString(), HERE));
  }

  @Test
  void truncatedLibrary(@TempDir Path folder) throws Exception {
    byte[] library = Files.readAllBytes(find());
    Files.write(folder.resolve(FILE), Arrays.copyOf(library, 100));
    checkRefusal(runWith(folder.toString(), HERE));
  }

  @Test
  void libraryOfAnotherVersion(@TempDir Path folder) throws Exception {
    String library = new String(Files.readAllBytes(find()), StandardCharsets.ISO_8859_1);
    String version = EqDelegate.VERSION + "\0";
    assertEquals(library.indexOf(version), library.lastIndexOf(version));
    byte[] other = library.replace(version, "9.8.7\0").getBytes(StandardCharsets.ISO_8859_1);
    Files.write(folder.resolve(FILE), other);
    String output = runWith(folder.toString(), HERE);
    checkRefusal(output);
    assertTrue(output.contains("it is version 9.8.7, but this class belongs to " + EqDelegate.VERSION), output);
  }

  @Test
  void libraryThatIsNotTheDelegate(@TempDir Path folder) throws Exception {
    Files.copy(Paths.get(System.getProperty("java.home"), "lib", "libzip.so"), folder.resolve(FILE));
    checkRefusal(runWith(folder.toString(), HERE));
  }

  @Test
  void abiIsNamedAsAndroidNamesIt(@TempDir Path folder) throws Exception {
    assertTrue(runWith(folder.toString(), "armv8l").contains("whose ABI is armeabi-v7a: "));
    assertTrue(runWith(folder.toString(), "i686").contains("whose ABI is x86: "));
    assertTrue(runWith(folder.toString(), "x86_64").contains("whose ABI is x86_64: "));
    assertTrue(runWith(folder.toString(), "aarch64").contains("whose ABI is arm64-v8a: "));
  }

  private static void checkRefusal(String output) {
    String[] lines = output.split("\n");
    assertEquals(5, lines.length, output);
    assertEquals("supported false", lines[0]);
    for (int i : new int[] {1, 3}) {
      assertTrue(lines[i].startsWith("refused " + FILE + " cannot be loaded into this process, whose ABI is "), output);
      assertTrue(lines[i].contains("EqDelegate.isSupported()"), output);
      assertEquals("cause java.lang.UnsatisfiedLinkError", lines[i + 1]);
    }
  }

  private static String runWith(String libraryPath, String architecture) throws Exception {
    String classPath = String.join(
        File.pathSeparator, jarOf(EqDelegate.class), jarOf(LoadingTest.class), jarOf(Delegate.class));
    ProcessBuilder builder = new ProcessBuilder(
        System.getProperty("java.home") + "/bin/java",
        "-Djava.library.path=" + libraryPath,
        "-Dos.arch=" + architecture,
        "-cp",
        classPath,
        Child.class.getName());
    builder.redirectErrorStream(true);
    Process process = builder.start();
    process.getOutputStream().close();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertTrue(process.waitFor(30, TimeUnit.SECONDS));
    assertEquals(0, process.exitValue(), output);
    return Arrays.stream(output.split("\n"))
        .filter(line -> line.startsWith(MARK))
        .map(line -> line.substring(MARK.length()) + "\n")
        .collect(Collectors.joining());
  }

  private static String jarOf(Class<?> type) throws Exception {
    return Paths.get(type.getProtectionDomain().getCodeSource().getLocation().toURI()).toString();
  }

  /** The library this JVM uses itself. */
  private static Path find() {
    for (String folder : System.getProperty("java.library.path").split(File.pathSeparator)) {
      if (Files.exists(Paths.get(folder, FILE))) {
        return Paths.get(folder, FILE);
      }
    }
    throw new AssertionError("no " + FILE + " in " + System.getProperty("java.library.path"));
  }
}
