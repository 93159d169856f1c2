package org.tfliteeq;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.lang.ref.WeakReference;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.tensorflow.lite.Delegate;
import org.tensorflow.lite.Interpreter;

/**
 * The delegate in TFLite's own Java interpreter, the library that Android apps get from Maven: one convolution, whose
 * output codes must be those of TFLite's reference kernels (tests/android/make_model.py).
 */
class InterpreterTest {
  private static final File MODEL = file("model");
  private static final byte[] INPUT = contents("input");
  private static final byte[] EXPECTED = contents("output");

  @Test
  void everyKernelGivesTheReferencesCodes() {
    for (EqOptions.Kernel kernel : new EqOptions.Kernel[] {
        EqOptions.Kernel.WINOGRAD_F43, EqOptions.Kernel.WINOGRAD_F23, EqOptions.Kernel.DIRECT,
        EqOptions.Kernel.REFERENCE}) {
      try (EqDelegate delegate = new EqDelegate(claiming().setKernel(kernel));
          Interpreter interpreter = interpreter(delegate)) {
        assertArrayEquals(EXPECTED, run(interpreter), kernel.name());
      }
    }
  }

  @Test
  void verifyingAndSeveralThreads() {
    try (EqDelegate delegate = new EqDelegate(claiming().setVerify(true).setNumThreads(4).setProfile(true));
        Interpreter interpreter = interpreter(delegate)) {
      for (int i = 0; i < 20; ++i) {
        assertArrayEquals(EXPECTED, run(interpreter));
      }
    }
  }

  @Test
  void comesBeforeXnnpack() {
    try (EqDelegate delegate = new EqDelegate(claiming());
        Interpreter interpreter =
            new Interpreter(MODEL, new Interpreter.Options().addDelegate(delegate).setUseXNNPACK(true))) {
      assertArrayEquals(EXPECTED, run(interpreter));
    }
  }

  @Test
  void modelsThatAreNotClaimedAreRefusedOnRequest() {
    // The model's weights are not on the lattice that this kernel needs to be exact.
    EqOptions options = claiming().setKernel(EqOptions.Kernel.WINOGRAD_1D);
    try (EqDelegate delegate = new EqDelegate(options)) {
      String message = assertThrows(IllegalArgumentException.class, () -> interpreter(delegate)).getMessage();
      assertTrue(message.contains("require_delegation: none of 1 nodes"), message);
    }
  }

  @Test
  void severalInterpretersShareADelegate() {
    try (EqDelegate delegate = new EqDelegate(claiming());
        Interpreter lasting = interpreter(delegate)) {
      try (Interpreter passing = interpreter(delegate)) {
        assertArrayEquals(EXPECTED, run(passing));
        assertArrayEquals(EXPECTED, run(lasting));
      }
      assertArrayEquals(EXPECTED, run(lasting));
    }
  }

  @Test
  void closedBeforeTheInterpreter() {
    EqDelegate delegate = new EqDelegate(claiming().setNumThreads(3));
    try (Interpreter interpreter = interpreter(delegate)) {
      assertArrayEquals(EXPECTED, run(interpreter));
      delegate.close();
      assertArrayEquals(EXPECTED, run(interpreter));
      interpreter.resizeInput(0, new int[] {1, 9, 11, 32});
      interpreter.allocateTensors();
      assertEquals(9 * 11 * 32, interpreter.getOutputTensor(0).numBytes());
      interpreter.resizeInput(0, new int[] {1, 24, 24, 32});
      assertArrayEquals(EXPECTED, run(interpreter));
      delegate.close();
    }
  }

  @Test
  void deletedBeforeTheInterpreter() {
    EqOptions options = claiming().setNumThreads(3);
    long handle = NativeLibrary.create(options.keys(), options.values());
    try (Interpreter interpreter = interpreter(() -> handle)) {
      NativeLibrary.delete(handle);
      assertArrayEquals(EXPECTED, run(interpreter));
    }
  }

  @Test
  void closedBeforeTheInterpreterIsBuilt() {
    EqDelegate delegate = new EqDelegate(claiming());
    delegate.close();
    assertThrows(IllegalStateException.class, () -> interpreter(delegate));
  }

  @Test
  void closedWhileTheInterpreterIsBuilt() {
    // Another thread's close() between the interpreter asking for the handle and using it.
    EqDelegate delegate = new EqDelegate(claiming());
    Delegate racing = () -> {
      long handle = delegate.getNativeHandle();
      delegate.close();
      return handle;
    };
    String message = assertThrows(IllegalArgumentException.class, () -> interpreter(racing)).getMessage();
    assertTrue(message.contains("tflite_eq: the delegate was closed"), message);
    assertThrows(IllegalStateException.class, delegate::getNativeHandle);
  }

  @Test
  void closedWhileInterpretersRun() throws Exception {
    final int count = 4;
    EqDelegate delegate = new EqDelegate(claiming().setNumThreads(2));
    CountDownLatch running = new CountDownLatch(count);
    ExecutorService threads = Executors.newFixedThreadPool(count);
    try {
      List<Future<Void>> results = new ArrayList<>();
      for (int i = 0; i < count; ++i) {
        results.add(threads.submit(() -> {
          try (Interpreter interpreter = interpreter(delegate)) {
            for (int round = 0; round < 100; ++round) {
              assertArrayEquals(EXPECTED, run(interpreter));
              if (round == 0) {
                running.countDown();
              }
            }
          }
          return null;
        }));
      }
      assertTrue(running.await(60, TimeUnit.SECONDS));
      delegate.close();
      for (Future<Void> result : results) {
        result.get();
      }
    } finally {
      threads.shutdown();
    }
  }

  @Test
  void theInterpreterKeepsItsDelegateAlive() throws Exception {
    WeakReference<EqDelegate> reference = new WeakReference<>(new EqDelegate(claiming()));
    try (Interpreter interpreter = interpreter(reference.get())) {
      for (int i = 0; i < 5; ++i) {
        System.gc();
        Thread.sleep(10);
        assertNotNull(reference.get());
        assertArrayEquals(EXPECTED, run(interpreter));
      }
    }
    for (int i = 0; i < 100 && reference.get() != null; ++i) {
      System.gc();
      Thread.sleep(20);
    }
    assertNull(reference.get());
  }

  /** The delegate has to take the convolution, or the tests would hold TFLite's kernels to themselves. */
  private static EqOptions claiming() {
    return new EqOptions()
        .setKernel(EqOptions.Kernel.WINOGRAD_F43)
        .setRequireDelegation(true)
        .setLogLevel(EqOptions.LogLevel.SILENT);
  }

  private static Interpreter interpreter(Delegate delegate) {
    return new Interpreter(MODEL, new Interpreter.Options().addDelegate(delegate));
  }

  private static byte[] run(Interpreter interpreter) {
    ByteBuffer input = ByteBuffer.allocateDirect(INPUT.length);
    input.put(INPUT).rewind();
    ByteBuffer output = ByteBuffer.allocateDirect(EXPECTED.length);
    interpreter.run(input, output);
    byte[] codes = new byte[EXPECTED.length];
    output.rewind();
    output.get(codes);
    return codes;
  }

  private static File file(String name) {
    return new File(System.getProperty("tfliteeq." + name));
  }

  private static byte[] contents(String name) {
    try {
      byte[] bytes = Files.readAllBytes(Paths.get(file(name).getPath()));
      assertTrue(bytes.length == 24 * 24 * 32, Arrays.toString(new int[] {bytes.length}));
      return bytes;
    } catch (IOException error) {
      throw new IllegalStateException(error);
    }
  }
}
