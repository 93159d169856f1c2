package org.tfliteeq;

/** Loads {@code libtflite_eq_delegate.so}, once, and declares what delegate/android/jni.cc implements. */
final class NativeLibrary {
  private static final String NAME = "tflite_eq_delegate";

  /** Null once loaded; otherwise why it could not be. */
  private static final UnsatisfiedLinkError FAILURE = tryLoading();

  private NativeLibrary() {}

  static boolean isLoaded() {
    return FAILURE == null;
  }

  /**
   * @throws UnsupportedOperationException with the ABI and what to do, if the library is not there
   */
  static void load() {
    if (FAILURE != null) {
      throw new UnsupportedOperationException(
          "lib" + NAME + ".so cannot be loaded into this process, whose ABI is " + abi() + ": " + FAILURE.getMessage()
              + ". The AAR has it for arm64-v8a only: ask EqDelegate.isSupported() first and run without the delegate"
              + " elsewhere; on arm64-v8a check that the APK has lib/arm64-v8a/lib" + NAME + ".so (abiFilters,"
              + " packaging excludes, an app bundle's split).",
          FAILURE);
    }
  }

  private static UnsatisfiedLinkError tryLoading() {
    try {
      System.loadLibrary(NAME);
      if (!version().equals(Version.NAME)) {
        return new UnsatisfiedLinkError(
            "it is version " + version() + ", but this class belongs to " + Version.NAME);
      }
      return null;
    } catch (UnsatisfiedLinkError error) {
      return error;
    } catch (LinkageError error) {
      // A library of another version, whose functions are not those declared below.
      UnsatisfiedLinkError mismatch =
          new UnsatisfiedLinkError("it does not belong to version " + Version.NAME + " of this class: " + error);
      mismatch.initCause(error);
      return mismatch;
    }
  }

  /** Android's name of the ABI that this process runs; a 64-bit phone also runs 32-bit processes. */
  private static String abi() {
    String architecture = System.getProperty("os.arch", "unknown");
    switch (architecture) {
      case "aarch64":
        return "arm64-v8a";
      case "amd64":
      case "x86_64":
        return "x86_64";
      case "i386":
      case "i686":
        return "x86";
      default:
        return architecture.startsWith("arm") ? "armeabi-v7a" : architecture;
    }
  }

  static native String version();

  static native boolean hasFastKernels();

  /**
   * @throws IllegalArgumentException naming the option, what was found and what is allowed
   * @throws OutOfMemoryError if there is no memory for it
   */
  static native long create(String[] keys, String[] values);

  /**
   * The address of an accelerator's definition, which lives as long as the process.
   *
   * @throws IllegalArgumentException as {@link #create}
   * @throws OutOfMemoryError if there is no memory for it
   */
  static native long createAccelerator(String[] keys, String[] values);

  static native void close(long handle);

  static native void delete(long handle);
}
