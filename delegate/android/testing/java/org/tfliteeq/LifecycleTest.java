package org.tfliteeq;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.tensorflow.lite.Delegate;

/** Opening, closing and collecting delegates, without an interpreter. */
class LifecycleTest {
  @Test
  void handlesAreDistinctAndStable() {
    try (EqDelegate first = new EqDelegate(); EqDelegate second = new EqDelegate()) {
      assertNotEquals(0, first.getNativeHandle());
      assertNotEquals(first.getNativeHandle(), second.getNativeHandle());
      assertEquals(first.getNativeHandle(), first.getNativeHandle());
    }
  }

  @Test
  void closingTwiceIsClosingOnce() {
    EqDelegate delegate = new EqDelegate();
    delegate.close();
    delegate.close();
    assertThrows(IllegalStateException.class, delegate::getNativeHandle);
  }

  @Test
  void useAfterCloseSaysSo() {
    Delegate delegate = new EqDelegate();
    delegate.close();
    String message = assertThrows(IllegalStateException.class, delegate::getNativeHandle).getMessage();
    assertTrue(message.contains("closed"), message);
  }

  @Test
  void thisMachineIsSupported() {
    assertTrue(EqDelegate.isSupported());
    assertEquals(EqDelegate.VERSION, NativeLibrary.version());
  }

  @Test
  void collectedDelegatesAreDeletedClosedOrNot() throws InterruptedException {
    int before = NativeHandle.alive();
    for (int i = 0; i < 200; ++i) {
      EqDelegate delegate = new EqDelegate();
      if (i % 2 == 0) {
        delegate.close();
      }
    }
    for (int i = 0; i < 100 && NativeHandle.alive() > before; ++i) {
      System.gc();
      Thread.sleep(20);
      NativeHandle.deleteCollected();
    }
    assertTrue(NativeHandle.alive() <= before, NativeHandle.alive() + " delegates are left of 200");
  }

  @Test
  void handleStaysValidWhileTheDelegateIsReachable() throws InterruptedException {
    EqDelegate delegate = new EqDelegate();
    long handle = delegate.getNativeHandle();
    delegate.close();
    for (int i = 0; i < 5; ++i) {
      System.gc();
      Thread.sleep(10);
      NativeHandle.deleteCollected();
    }
    // The memory is still the delegate's: another one cannot get it.
    try (EqDelegate other = new EqDelegate()) {
      assertNotEquals(handle, other.getNativeHandle());
    }
    assertThrows(IllegalStateException.class, delegate::getNativeHandle);
  }

  @Test
  void threadsMayOpenAndCloseAtWill() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      List<Future<Void>> results = new ArrayList<>();
      for (int i = 0; i < 8; ++i) {
        results.add(threads.submit(openAndClose()));
      }
      for (Future<Void> result : results) {
        result.get();
      }
    } finally {
      threads.shutdown();
    }
  }

  private static Callable<Void> openAndClose() {
    return () -> {
      for (int i = 0; i < 500; ++i) {
        EqDelegate delegate = new EqDelegate(new EqOptions().setNumThreads(2));
        Thread closer = new Thread(delegate::close);
        closer.start();
        try {
          assertNotEquals(0, delegate.getNativeHandle());
        } catch (IllegalStateException closed) {
          assertFalse(closed.getMessage().isEmpty());
        }
        delegate.close();
        closer.join();
      }
      return null;
    };
  }
}
