package org.tfliteeq;

import java.lang.ref.PhantomReference;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.util.Collections;
import java.util.HashSet;
import java.util.Set;

/**
 * The native delegate of one {@link EqDelegate}, which it outlives.
 *
 * <p>An interpreter asks for the handle and uses it later; a delegate deleted in between would crash the app. So {@link
 * EqDelegate#close} gives back what is large, the threads, and these few hundred bytes wait until nobody refers to the
 * {@code EqDelegate}: an interpreter refers to its delegates until it is closed. A delegate that is never closed is
 * deleted then, too.
 */
final class NativeHandle extends PhantomReference<EqDelegate> {
  private static final ReferenceQueue<EqDelegate> COLLECTED = new ReferenceQueue<>();

  // References are enqueued only while they are reachable themselves.
  private static final Set<NativeHandle> ALIVE = Collections.synchronizedSet(new HashSet<NativeHandle>());

  private final long address;

  NativeHandle(EqDelegate owner, long address) {
    super(owner, COLLECTED);
    this.address = address;
    ALIVE.add(this);
  }

  long address() {
    return address;
  }

  /** Deletes the native delegates whose owners were collected. */
  static void deleteCollected() {
    Reference<? extends EqDelegate> collected;
    while ((collected = COLLECTED.poll()) != null) {
      NativeHandle handle = (NativeHandle) collected;
      ALIVE.remove(handle);
      NativeLibrary.delete(handle.address);
    }
  }

  /** How many native delegates there are; for tests. */
  static int alive() {
    return ALIVE.size();
  }
}
