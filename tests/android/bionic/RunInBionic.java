import com.github.unidbg.AndroidEmulator;
import com.github.unidbg.Emulator;
import com.github.unidbg.Module;
import com.github.unidbg.arm.Arm64Svc;
import com.github.unidbg.arm.backend.Unicorn2Factory;
import com.github.unidbg.arm.context.RegisterContext;
import com.github.unidbg.linux.android.AndroidEmulatorBuilder;
import com.github.unidbg.linux.android.AndroidResolver;
import com.github.unidbg.linux.android.dvm.AbstractJni;
import com.github.unidbg.linux.android.dvm.DvmClass;
import com.github.unidbg.linux.android.dvm.StringObject;
import com.github.unidbg.linux.android.dvm.VM;
import com.github.unidbg.linux.android.dvm.array.ArrayObject;
import com.github.unidbg.memory.Memory;
import com.github.unidbg.pointer.UnidbgPointer;
import com.github.unidbg.virtualmodule.android.AndroidModule;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Arrays;

/**
 * Loads the delegate's library for Android, and TFLite's, into an emulated arm64 process with Android 6's own libc, libm, libdl and
 * liblog, and calls both as an app does: the delegate by JNI, the interpreter by TFLite's C functions.
 *
 * <p>Arguments: TFLite's library, the delegate's, and then what to do. {@code options KEY=VALUE...} makes a delegate, {@code
 * accelerator KEY=VALUE...} an accelerator, {@code run MODEL INPUT OUTPUT KEY=VALUE...} runs a model with a delegate; a comma ends each.
 * For each a line is printed that begins with {@code RESULT}.
 */
public final class RunInBionic {
  /** What Linux says of a Cortex-A53: floating point and NEON. The emulator's processes are told of nothing. */
  private static final long HWCAP = 3;

  private static final long AT_HWCAP = 16;

  /** The place of ThrowNew in JNI's table of functions. */
  private static final long THROW_NEW = 14 * 8;

  private final AndroidEmulator emulator;
  private final Memory memory;
  private final VM vm;
  private final Module tflite;
  private final DvmClass library;
  private String thrown;

  private RunInBionic(File tfliteFile, File delegateFile) {
    emulator = AndroidEmulatorBuilder.for64Bit()
        .setProcessName("org.tfliteeq")
        .addBackendFactory(new Unicorn2Factory(true))
        .build();
    memory = emulator.getMemory();
    memory.setLibraryResolver(new AndroidResolver(23));
    vm = emulator.createDalvikVM();
    UnidbgPointer functions = ((UnidbgPointer) vm.getJNIEnv()).getPointer(0);
    functions.setPointer(THROW_NEW, emulator.getSvcMemory().registerSvc(new ThrowNew()));
    vm.setJni(new AbstractJni() {});
    vm.setVerbose(false);
    new AndroidModule(emulator, vm).register(memory);
    tflite = vm.loadLibrary(tfliteFile, false).getModule();
    // Not for libraries before it: libc starts with what its kernel says.
    memory.addHookListener((svcMemory, from, symbol, old) -> symbol.equals("getauxval")
        ? svcMemory.registerSvc(new Auxiliary()).peer
        : 0);
    vm.loadLibrary(delegateFile, false).callJNI_OnLoad(emulator);
    library = vm.resolveClass("org/tfliteeq/NativeLibrary");
  }

  private static final class Auxiliary extends Arm64Svc {
    @Override
    public long handle(Emulator<?> emulator) {
      return emulator.<RegisterContext>getContext().getLongArg(0) == AT_HWCAP ? HWCAP : 0;
    }
  }

  /** The emulator's virtual machine has none. */
  private final class ThrowNew extends Arm64Svc {
    @Override
    public long handle(Emulator<?> emulator) {
      RegisterContext context = emulator.getContext();
      String name = vm.getObject(context.getIntArg(1)).toString();
      thrown = name + ": " + context.getPointerArg(2).getString(0);
      return 0;
    }
  }

  private ArrayObject strings(String[] pairs, int from, int half) {
    StringObject[] texts = new StringObject[pairs.length - from];
    for (int i = 0; i < texts.length; ++i) {
      texts[i] = new StringObject(vm, pairs[from + i].split("=", 2)[half]);
    }
    return new ArrayObject(texts);
  }

  /** What a native method returned: 0 after an exception. */
  private long create(String method, String[] pairs, int from) {
    ArrayObject keys = strings(pairs, from, 0);
    ArrayObject values = strings(pairs, from, 1);
    thrown = null;
    return library.callStaticJniMethodLong(
        emulator, method + "([Ljava/lang/String;[Ljava/lang/String;)J", keys, values);
  }

  private long call(String function, Object... arguments) {
    return tflite.callFunction(emulator, function, arguments).longValue();
  }

  private UnidbgPointer copy(byte[] bytes) {
    UnidbgPointer block = memory.malloc(bytes.length, true).getPointer();
    block.write(0, bytes, 0, bytes.length);
    return block;
  }

  private String run(String[] words) throws Exception {
    byte[] model = Files.readAllBytes(Paths.get(words[1]));
    byte[] input = Files.readAllBytes(Paths.get(words[2]));
    long delegate = create("create", words, 4);
    long loaded = call("TfLiteModelCreate", copy(model), (long) model.length);
    long options = call("TfLiteInterpreterOptionsCreate");
    call("TfLiteInterpreterOptionsSetNumThreads", options, 1);
    call("TfLiteInterpreterOptionsAddDelegate", options, delegate);
    long interpreter = call("TfLiteInterpreterCreate", loaded, options);
    if (interpreter == 0) {
      return "no interpreter";
    }
    // A delegate that is closed meanwhile goes on in this interpreter.
    library.callStaticJniMethod(emulator, "close(J)V", delegate);
    long status = call("TfLiteInterpreterAllocateTensors", interpreter);
    long in = call("TfLiteInterpreterGetInputTensor", interpreter, 0);
    status |= call("TfLiteTensorCopyFromBuffer", in, copy(input), (long) input.length);
    status |= call("TfLiteInterpreterInvoke", interpreter);
    long out = call("TfLiteInterpreterGetOutputTensor", interpreter, 0);
    int size = (int) call("TfLiteTensorByteSize", out);
    UnidbgPointer to = memory.malloc(size, true).getPointer();
    status |= call("TfLiteTensorCopyToBuffer", out, to, (long) size);
    Files.write(Paths.get(words[3]), to.getByteArray(0, size));
    call("TfLiteInterpreterDelete", interpreter);
    call("TfLiteInterpreterOptionsDelete", options);
    call("TfLiteModelDelete", loaded);
    library.callStaticJniMethod(emulator, "delete(J)V", delegate);
    return "status " + status;
  }

  private String perform(String[] words) throws Exception {
    switch (words[0]) {
      case "version":
        return library.callStaticJniMethodObject(emulator, "version()Ljava/lang/String;").getValue().toString()
            + " " + library.callStaticJniMethodBoolean(emulator, "hasFastKernels()Z");
      case "options": {
        long delegate = create("create", words, 1);
        if (delegate != 0) {
          library.callStaticJniMethod(emulator, "close(J)V", delegate);
          library.callStaticJniMethod(emulator, "delete(J)V", delegate);
        }
        return delegate != 0 ? "made" : thrown;
      }
      case "accelerator": {
        long accelerator = create("createAccelerator", words, 1);
        return accelerator != 0 ? header(accelerator) : thrown;
      }
      case "run":
        return run(words);
      default:
        throw new IllegalArgumentException(words[0]);
    }
  }

  /** The size and version that a definition begins with. */
  private String header(long definition) {
    UnidbgPointer at = UnidbgPointer.pointer(emulator, definition);
    return at.getShort(0) + " " + at.getShort(2) + "." + at.getShort(4);
  }

  public static void main(String[] arguments) throws Exception {
    RunInBionic process = new RunInBionic(new File(arguments[0]), new File(arguments[1]));
    int begin = 2;
    for (int i = begin; i <= arguments.length; ++i) {
      if (i < arguments.length && !arguments[i].equals(",")) {
        continue;
      }
      String result = process.perform(Arrays.copyOfRange(arguments, begin, i));
      System.out.println("\nRESULT " + result);
      begin = i + 1;
    }
    System.exit(0);
  }
}
