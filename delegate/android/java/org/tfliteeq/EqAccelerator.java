package org.tfliteeq;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The delegate for LiteRT 2's {@code CompiledModel}, which takes accelerators where LiteRT 1 took delegates. Needs LiteRT 2.3:
 * its environments are given an accelerator's handle. For LiteRT 2.2, whose are not, there is tflite_eq_accelerator.aar.
 *
 * <pre>{@code
 * Map<Environment.Option, String> options = new HashMap<>();
 * if (EqAccelerator.isSupported()) {
 *   options.put(Environment.Option.SystemGpuAcceleratorHandle, EqAccelerator.handle());
 * }
 * Environment environment = Environment.create(options);
 * CompiledModel model = CompiledModel.create(path, new CompiledModel.Options(Accelerator.CPU), environment);
 * }</pre>
 *
 * <p>Models for the CPU run on the delegate, and what it leaves of them on XNNPACK. Models for the GPU run on LiteRT's own
 * accelerator for it, if the app has that. All methods may be called from any thread, and one handle may serve several
 * environments, one after the other or at once; there is nothing to close.
 */
public final class EqAccelerator {
  // By the options' values: native accelerators live as long as the process, so that each set of options has one.
  private static final Map<List<String>, Long> ACCELERATORS = new HashMap<>();

  private EqAccelerator() {}

  /** As {@link EqDelegate#isSupported}. */
  public static boolean isSupported() {
    return NativeLibrary.isLoaded() && NativeLibrary.hasFastKernels();
  }

  /** The handle of the accelerator with the default options. */
  public static String handle() {
    return handle(new EqOptions());
  }

  /**
   * What the environment's option {@code SystemGpuAcceleratorHandle} takes: an address, in decimal digits. The same for the same
   * options.
   *
   * @throws IllegalArgumentException if an option is out of range, or names an instruction set this CPU does not have
   * @throws UnsupportedOperationException if the native library is absent or for another ABI, see {@link #isSupported}
   */
  public static String handle(EqOptions options) {
    if (options == null) {
      throw new IllegalArgumentException("options is null; EqAccelerator.handle() takes the defaults");
    }
    NativeLibrary.load();
    List<String> values = Arrays.asList(options.values());
    synchronized (ACCELERATORS) {
      Long address = ACCELERATORS.get(values);
      if (address == null) {
        address = NativeLibrary.createAccelerator(options.keys(), options.values());
        ACCELERATORS.put(values, address);
      }
      return address.toString();
    }
  }
}
