package org.tfliteeq;

import org.tensorflow.lite.Delegate;

/**
 * Exact integer Winograd convolutions for int8 TensorFlow Lite models on CPUs: the numbers of TFLite's reference
 * kernels, faster.
 *
 * <pre>{@code
 * Interpreter.Options options = new Interpreter.Options();
 * EqDelegate delegate = EqDelegate.isSupported() ? new EqDelegate() : null;
 * if (delegate != null) options.addDelegate(delegate).setUseXNNPACK(false);
 * try (Interpreter interpreter = new Interpreter(model, options)) {
 *   interpreter.run(input, output);
 * } finally {
 *   if (delegate != null) delegate.close();
 * }
 * }</pre>
 *
 * <p>All methods may be called from any thread. Several interpreters, also of several models, may share one delegate.
 *
 * <p>{@link #close} may come at any time, also before the interpreter's and while it runs: interpreters that have the
 * delegate keep working and keep its threads until they are closed themselves, and no further interpreter can get it.
 * The handle stays valid for as long as this object is reachable, and an interpreter refers to its delegates.
 */
// TFLite's Delegate is Closeable itself; AutoCloseable is promised here whatever it becomes.
public final class EqDelegate implements Delegate, AutoCloseable {
  /** The version of this class and of the native library that belongs to it. */
  public static final String VERSION = Version.NAME;

  private final NativeHandle handle;
  private boolean closed; // guarded by this

  /** A delegate with the default options. */
  public EqDelegate() {
    this(new Options());
  }

  /**
   * @param options copied: changing them later changes nothing
   * @throws IllegalArgumentException if an option is out of range, or names an instruction set this CPU does not have
   * @throws UnsupportedOperationException if the native library is absent or for another ABI, see {@link #isSupported}
   */
  public EqDelegate(Options options) {
    if (options == null) {
      throw new IllegalArgumentException("options is null; new EqDelegate() takes the defaults");
    }
    NativeLibrary.load();
    NativeHandle.deleteCollected();
    handle = new NativeHandle(this, NativeLibrary.create(options.keys(), options.values()));
  }

  /**
   * Whether this device can run the delegate and gains by it: the native library is there for the process's ABI, and
   * the CPU has vector instructions that the delegate has kernels for. Never throws.
   */
  public static boolean isSupported() {
    return NativeLibrary.isLoaded() && NativeLibrary.hasFastKernels();
  }

  /**
   * The native {@code TfLiteDelegate*}, for the interpreter.
   *
   * @throws IllegalStateException after {@link #close}
   */
  @Override
  public synchronized long getNativeHandle() {
    if (closed) {
      throw new IllegalStateException("this EqDelegate is closed: give the interpreter a new one");
    }
    return handle.address();
  }

  /** Ends the delegate's threads as soon as no interpreter uses them. Further calls do nothing. */
  @Override
  public void close() {
    synchronized (this) {
      if (!closed) {
        closed = true;
        NativeLibrary.close(handle.address());
      }
    }
    NativeHandle.deleteCollected();
  }

  /** What a convolution is computed by. */
  public enum Kernel {
    /** By layer and CPU. */
    AUTO("auto"),
    WINOGRAD_F43("winograd_f43"),
    WINOGRAD_F23("winograd_f23"),
    WINOGRAD_1D("winograd_1d"),
    DIRECT("direct"),
    DIRECT_INT7("direct_int7"),
    /** Depthwise convolutions. */
    DEPTHWISE("depthwise"),
    REFERENCE("reference");

    private final String option;

    Kernel(String option) {
      this.option = option;
    }
  }

  /** The most that kernels may use of a CPU's instructions. */
  public enum Isa {
    /** The best the CPU has. */
    AUTO("auto"),
    SCALAR("scalar"),
    NEON("neon"),
    NEON_DOTPROD("neon_dotprod"),
    NEON_I8MM("neon_i8mm"),
    AVX2("avx2"),
    AVX512_VNNI("avx512_vnni");

    private final String option;

    Isa(String option) {
      this.option = option;
    }
  }

  /** How much is written to logcat, under the tag {@code tflite_eq}. */
  public enum LogLevel {
    SILENT("0"),
    /** One line for every model. */
    MODEL("1"),
    /** Also the reason for every convolution, taken or left. */
    LAYERS("2");

    private final String option;

    LogLevel(String option) {
      this.option = option;
    }
  }

  /** The delegate's options; every setter returns the same object. Not for use by several threads at once. */
  public static final class Options {
    private int numThreads = 0;
    private Kernel kernel = Kernel.AUTO;
    private Isa isa = Isa.AUTO;
    private boolean verify = false;
    private boolean requireDelegation = false;
    private LogLevel logLevel = LogLevel.MODEL;
    private boolean profile = false;
    private boolean referenceInPlace = false;
    private String leave = "";
    private String claim = "";
    private String minSaving = "auto";

    /** Threads for one convolution, at most 256; 0, the default, takes the interpreter's number. */
    public Options setNumThreads(int numThreads) {
      this.numThreads = numThreads;
      return this;
    }

    /** {@link Kernel#AUTO} unless set; any other is used wherever it is exact, fast or not. For validation. */
    public Options setKernel(Kernel kernel) {
      this.kernel = notNull("kernel", kernel);
      return this;
    }

    /** {@link Isa#AUTO} unless set. For validation. */
    public Options setIsa(Isa isa) {
      this.isa = notNull("isa", isa);
      return this;
    }

    /** Run the reference beside every kernel and fail at the first difference. Slow. */
    public Options setVerify(boolean verify) {
      this.verify = verify;
      return this;
    }

    /** Make building an interpreter fail when nothing of its model is claimed. */
    public Options setRequireDelegation(boolean requireDelegation) {
      this.requireDelegation = requireDelegation;
      return this;
    }

    /** {@link LogLevel#MODEL} unless set. */
    public Options setLogLevel(LogLevel logLevel) {
      this.logLevel = notNull("logLevel", logLevel);
      return this;
    }

    /** Write the time of every claimed layer to logcat when the interpreter is closed. */
    public Options setProfile(boolean profile) {
      this.profile = profile;
      return this;
    }

    /** Claim the same layers, but compute them by the reference kernel: what outputs are compared with. Slow. */
    public Options setReferenceInPlace(boolean referenceInPlace) {
      this.referenceInPlace = referenceInPlace;
      return this;
    }

    /**
     * Never claim layers whose output tensor's name this regular expression matches, anywhere in it: characters, {@code . [a-z] ( )
     * | * + ? ^ $}, and {@code \} before a character that means itself. Goes before {@link #setClaim}. Empty, the default, means none.
     */
    public Options setLeave(String expression) {
      this.leave = notNull("leave", expression);
      return this;
    }

    /** Claim layers with such names wherever a kernel is exact, fast or not. */
    public Options setClaim(String expression) {
      this.claim = notNull("claim", expression);
      return this;
    }

    /**
     * Thousands of multiplications by the runtime's own kernels that the layers between two switches of delegates must save to be
     * claimed. Unless set, what a switch costs on the CPU.
     */
    public Options setMinSaving(int thousands) {
      this.minSaving = Integer.toString(thousands);
      return this;
    }

    private static <T> T notNull(String name, T value) {
      if (value == null) {
        throw new IllegalArgumentException(name + " is null");
      }
      return value;
    }

    String[] keys() {
      return new String[] {
        "num_threads", "kernel", "isa", "verify", "require_delegation", "log_level", "profile", "reference_in_place",
        "leave", "claim", "min_saving"
      };
    }

    String[] values() {
      return new String[] {
        Integer.toString(numThreads),
        kernel.option,
        isa.option,
        Boolean.toString(verify),
        Boolean.toString(requireDelegation),
        logLevel.option,
        Boolean.toString(profile),
        Boolean.toString(referenceInPlace),
        leave,
        claim,
        minSaving
      };
    }
  }
}
