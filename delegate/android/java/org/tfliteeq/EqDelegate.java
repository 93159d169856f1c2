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
    this(new EqOptions());
  }

  /**
   * @param options copied: changing them later changes nothing
   * @throws IllegalArgumentException if an option is out of range, or names an instruction set this CPU does not have
   * @throws UnsupportedOperationException if the native library is absent or for another ABI, see {@link #isSupported}
   */
  public EqDelegate(EqOptions options) {
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
}
