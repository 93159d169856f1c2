package org.tfliteeq;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What the options accept, and what the native side says of others. */
class OptionsTest {
  @Test
  void everyOptionIsOneTheNativeSideKnows() {
    String listed = assertThrows(
        IllegalArgumentException.class,
        () -> NativeLibrary.create(new String[] {"none"}, new String[] {"1"})).getMessage();
    Set<String> known = new HashSet<>(Arrays.asList(listed.replaceAll(".*there are ", "").split(", ")));
    assertEquals(known, new HashSet<>(Arrays.asList(new EqOptions().keys())));
  }

  @Test
  void defaultsAreTheNativeOnes() {
    assertEquals(
        Arrays.asList("0", "auto", "auto", "false", "false", "1", "false", "false", "", "", "auto"),
        Arrays.asList(new EqOptions().values()));
  }

  @Test
  void settersReachTheOptionOfTheirName() {
    EqOptions options = new EqOptions()
        .setNumThreads(3)
        .setKernel(EqOptions.Kernel.WINOGRAD_1D)
        .setIsa(EqOptions.Isa.SCALAR)
        .setVerify(true)
        .setRequireDelegation(true)
        .setLogLevel(EqOptions.LogLevel.LAYERS)
        .setProfile(true)
        .setReferenceInPlace(true)
        .setLeave("^conv1")
        .setClaim("conv2$")
        .setMinSaving(4500);
    assertEquals(
        Arrays.asList("3", "winograd_1d", "scalar", "true", "true", "2", "true", "true", "^conv1", "conv2$", "4500"),
        Arrays.asList(options.values()));
    assertEquals(
        Arrays.asList(
            "num_threads", "kernel", "isa", "verify", "require_delegation", "log_level", "profile", "reference_in_place",
            "leave", "claim", "min_saving"),
        Arrays.asList(options.keys()));
  }

  @Test
  void everyKernelIsOneTheNativeSideKnows() {
    Set<String> names = new HashSet<>();
    for (EqOptions.Kernel kernel : EqOptions.Kernel.values()) {
      EqOptions options = new EqOptions().setKernel(kernel);
      names.add(options.values()[1]);
      new EqDelegate(options).close();
    }
    assertEquals(namesIn(refusal("kernel", "none")), names);
  }

  @Test
  void everyInstructionSetIsOneTheNativeSideKnows() {
    Set<String> names = new HashSet<>();
    for (EqOptions.Isa isa : EqOptions.Isa.values()) {
      names.add(new EqOptions().setIsa(isa).values()[2]);
    }
    assertEquals(namesIn(refusal("isa", "none")), names);
  }

  @Test
  void instructionsTheCpuLacksAreRefused() {
    boolean arm = System.getProperty("os.arch").equals("aarch64");
    EqOptions.Isa other = arm ? EqOptions.Isa.AVX2 : EqOptions.Isa.NEON_DOTPROD;
    String message = assertThrows(
        IllegalArgumentException.class, () -> new EqDelegate(new EqOptions().setIsa(other))).getMessage();
    assertTrue(message.contains("this CPU does not support"), message);
  }

  @Test
  void threadsOutOfRangeAreRefused() {
    for (int threads : new int[] {-1, 257, Integer.MIN_VALUE, Integer.MAX_VALUE}) {
      String message = assertThrows(
          IllegalArgumentException.class,
          () -> new EqDelegate(new EqOptions().setNumThreads(threads))).getMessage();
      assertEquals("option num_threads: \"" + threads + "\" is not an integer from 0 to 256", message);
    }
    for (int threads : new int[] {0, 1, 256}) {
      new EqDelegate(new EqOptions().setNumThreads(threads)).close();
    }
  }

  @Test
  void nullIsRefusedWhereItIsGiven() {
    assertThrows(IllegalArgumentException.class, () -> new EqDelegate(null));
    assertThrows(IllegalArgumentException.class, () -> new EqOptions().setKernel(null));
    assertThrows(IllegalArgumentException.class, () -> new EqOptions().setIsa(null));
    assertThrows(IllegalArgumentException.class, () -> new EqOptions().setLogLevel(null));
  }

  @Test
  void nullAndOddStringsDoNotCrashTheNativeSide() {
    assertThrows(IllegalArgumentException.class, () -> NativeLibrary.create(new String[1], new String[1]));
    assertTrue(refusal("kernel", null).contains("has no value"));
    refusal("kernel", "");
    refusal("kernel", new String(new char[100_000]).replace('\0', 'x'));
    refusal("kernel", "\u0000auto");
    refusal("num_threads", "1\uD83D\uDE00");
    assertThrows(
        ArrayIndexOutOfBoundsException.class,
        () -> NativeLibrary.create(new String[] {"verify"}, new String[0]));
  }

  @Test
  void laterChangesOfOptionsChangeNothing() {
    EqOptions options = new EqOptions();
    try (EqDelegate delegate = new EqDelegate(options)) {
      options.setNumThreads(-5);
      assertNotEquals(0, delegate.getNativeHandle());
    }
  }

  private static String refusal(String key, String value) {
    return assertThrows(
        IllegalArgumentException.class,
        () -> NativeLibrary.create(new String[] {key}, new String[] {value})).getMessage();
  }

  private static Set<String> namesIn(String refusal) {
    return new HashSet<>(Arrays.asList(refusal.replaceAll(".*is none of ", "").split(", ")));
  }
}
