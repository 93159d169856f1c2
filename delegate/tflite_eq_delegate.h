// C API of the tflite_eq delegate: exact integer Winograd convolutions for int8 TFLite models.
//
//   TfLiteEqDelegateOptions options = TfLiteEqDelegateOptionsDefault();
//   options.num_threads = 2;
//   TfLiteDelegate* delegate = TfLiteEqDelegateCreate(&options);
//   ... interpreter->ModifyGraphWithDelegate(delegate) ...
//   TfLiteEqDelegateDelete(delegate);   // after the interpreter is gone
//
// The same library is an external delegate: load_delegate("libtflite_eq_delegate.so", {"num_threads": "2"}).
#ifndef TFLITE_EQ_DELEGATE_TFLITE_EQ_DELEGATE_H_
#define TFLITE_EQ_DELEGATE_TFLITE_EQ_DELEGATE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct TfLiteDelegate;

// Made by TfLiteEqDelegateOptionsDefault, which fills in all of it.
typedef struct {
  // sizeof(TfLiteEqDelegateOptions). By it the library tells a caller that was compiled with this layout from others, which it
  // refuses.
  size_t struct_size;
  // Threads for one convolution; 0 takes the interpreter's number.
  int32_t num_threads;
  // Null or "auto" chooses by layer and CPU. "winograd_f43", "winograd_f23", "winograd_1d", "direct_int7", "direct",
  // "depthwise" or "reference" makes every layer that the named kernel can compute exactly use it, fast or not.
  const char* kernel;
  // Null or "auto" takes the best this CPU has; "scalar", "avx2", "avx512_vnni", "neon", "neon_dotprod" or
  // "neon_i8mm" restricts it, for validation.
  const char* isa;
  // Run the reference beside every kernel and fail at the first differing code. Slow.
  bool verify;
  // Fail instead of doing nothing when no node of a model is claimed.
  bool require_delegation;
  // 0 silent, 1 one line per model, 2 also a line per candidate node.
  int32_t log_level;
  // Print the time spent in each claimed node when the interpreter goes.
  bool profile;
  // Claim the same nodes, but compute them by the reference kernel: the outputs that the other kernels' are compared with. Slow.
  bool reference_in_place;
  // Thousands of multiplications by the runtime's own kernels that the claimed layers between two switches of delegates must
  // save to be claimed; 0 takes what such a switch costs on this CPU, a negative number claims whatever is faster.
  int32_t min_saving;
  // Null, or POSIX extended regular expressions for the names of output tensors: layers that are never claimed, and layers that are
  // claimed wherever a kernel is exact, fast or not. The former goes before the latter. Copied.
  const char* leave;
  const char* claim;
  // Zero. Later options take this place, in which 0 is their default: the structure keeps its size, so that callers compiled with
  // an older header and the function that returns it by value agree. A library older than its caller refuses what is set here.
  // The size is above any number of threads: in the layout before there was a size, that number stood in its place.
  uint64_t reserved[25];
} TfLiteEqDelegateOptions;

TfLiteEqDelegateOptions TfLiteEqDelegateOptionsDefault(void);

// Null options are the defaults. Null when the options are bad or memory runs out; the reason goes to stderr, on Android to logcat.
struct TfLiteDelegate* TfLiteEqDelegateCreate(const TfLiteEqDelegateOptions* options);
// While an interpreter has the delegate, the last one to go takes it along.
void TfLiteEqDelegateDelete(struct TfLiteDelegate* delegate);

// "major.minor.patch".
const char* TfLiteEqDelegateVersion(void);

#ifdef __cplusplus
}
#endif

#endif  // TFLITE_EQ_DELEGATE_TFLITE_EQ_DELEGATE_H_
