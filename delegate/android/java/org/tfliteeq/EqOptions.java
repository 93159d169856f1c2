package org.tfliteeq;

/**
 * The options of {@link EqDelegate} and {@link EqAccelerator}; every setter returns the same object. Not for use by several threads at
 * once.
 *
 * <p>A class by itself: apps on LiteRT 2 have no TFLite, which compilers look for wherever {@code EqDelegate} is named.
 */
public final class EqOptions {
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
  public EqOptions setNumThreads(int numThreads) {
    this.numThreads = numThreads;
    return this;
  }

  /** {@link Kernel#AUTO} unless set; any other is used wherever it is exact, fast or not. For validation. */
  public EqOptions setKernel(Kernel kernel) {
    this.kernel = notNull("kernel", kernel);
    return this;
  }

  /** {@link Isa#AUTO} unless set. For validation. */
  public EqOptions setIsa(Isa isa) {
    this.isa = notNull("isa", isa);
    return this;
  }

  /** Run the reference beside every kernel and fail at the first difference. Slow. */
  public EqOptions setVerify(boolean verify) {
    this.verify = verify;
    return this;
  }

  /** Make building an interpreter fail when nothing of its model is claimed. */
  public EqOptions setRequireDelegation(boolean requireDelegation) {
    this.requireDelegation = requireDelegation;
    return this;
  }

  /** {@link LogLevel#MODEL} unless set. */
  public EqOptions setLogLevel(LogLevel logLevel) {
    this.logLevel = notNull("logLevel", logLevel);
    return this;
  }

  /** Write the time of every claimed layer to logcat when the interpreter is closed. */
  public EqOptions setProfile(boolean profile) {
    this.profile = profile;
    return this;
  }

  /** Claim the same layers, but compute them by the reference kernel: what outputs are compared with. Slow. */
  public EqOptions setReferenceInPlace(boolean referenceInPlace) {
    this.referenceInPlace = referenceInPlace;
    return this;
  }

  /**
   * Never claim layers whose output tensor's name this regular expression matches, anywhere in it: characters, {@code . [a-z] ( )
   * | * + ? ^ $}, and {@code \} before a character that means itself. Goes before {@link #setClaim}. Empty, the default, means none.
   */
  public EqOptions setLeave(String expression) {
    this.leave = notNull("leave", expression);
    return this;
  }

  /** Claim layers with such names wherever a kernel is exact, fast or not. */
  public EqOptions setClaim(String expression) {
    this.claim = notNull("claim", expression);
    return this;
  }

  /**
   * Thousands of multiplications by the runtime's own kernels that the layers between two switches of delegates must save to be
   * claimed. Unless set, what a switch costs on the CPU.
   */
  public EqOptions setMinSaving(int thousands) {
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
