package org.tfliteeq;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** The handle that LiteRT 2's environments are given. */
class AcceleratorTest {
  @Test
  void handleIsAnAddressInDecimalDigits() {
    assertTrue(EqAccelerator.isSupported());
    assertTrue(Long.parseLong(EqAccelerator.handle()) != 0);
  }

  @Test
  void eachSetOfOptionsHasOneAccelerator() {
    String two = EqAccelerator.handle(new EqOptions().setNumThreads(2));
    assertEquals(two, EqAccelerator.handle(new EqOptions().setNumThreads(2)));
    assertNotEquals(two, EqAccelerator.handle());
    assertEquals(EqAccelerator.handle(), EqAccelerator.handle(new EqOptions()));
  }

  @Test
  void badOptionsAreRefused() {
    String message = assertThrows(
        IllegalArgumentException.class,
        () -> EqAccelerator.handle(new EqOptions().setNumThreads(-1))).getMessage();
    assertTrue(message.startsWith("option num_threads: \"-1\" is not"), message);
    assertThrows(IllegalArgumentException.class, () -> EqAccelerator.handle(null));
  }
}
