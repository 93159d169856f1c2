import org.tfliteeq.EqAccelerator;
import org.tfliteeq.EqOptions;

/** What an app on LiteRT 2 does, whose class path has no TFLite; here without the native library, too. */
final class UseWithoutTfLite {
  public static void main(String[] arguments) {
    System.out.println("supported: " + EqAccelerator.isSupported());
    EqOptions options = new EqOptions().setNumThreads(2).setKernel(EqOptions.Kernel.DIRECT);
    try {
      EqAccelerator.handle(options);
    } catch (UnsupportedOperationException error) {
      System.out.println("refused: " + error.getMessage());
    }
  }
}
