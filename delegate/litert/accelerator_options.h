// The options of an accelerator that a runtime loads by itself: nobody hands it any, so that they come from a file beside the library
// and from the environment.
#ifndef TFLITE_EQ_DELEGATE_LITERT_ACCELERATOR_OPTIONS_H_
#define TFLITE_EQ_DELEGATE_LITERT_ACCELERATOR_OPTIONS_H_

#include "delegate/options.h"

namespace tflite_eq {

inline constexpr int kLongestPath = 4096;  // Linux's, its end included

struct AcceleratorOptions {
  DelegateOptions delegate;
  // The library of the GPU's accelerator: kAnyGpuLibrary, kNoGpuLibrary, or a path.
  char gpu_library[kLongestPath] = "auto";
};

inline constexpr char kAnyGpuLibrary[] = "auto";
inline constexpr char kNoGpuLibrary[] = "none";
// A line per option, "num_threads: 2", in the folder of the library; lines that begin with # are comments.
inline constexpr char kOptionsFile[] = "tflite_eq_options.txt";
// "num_threads:2;log_level:2", which go before the file's. A semicolon that belongs to a value is written \;.
inline constexpr char kOptionsVariable[] = "TFLITE_EQ_ACCELERATOR_OPTIONS";

// The name of the file that has this code: false where it cannot be told.
bool OwnPath(char (&path)[kLongestPath]);

enum class OnError { kTell, kSayNothing };

// False if something is wrong; told are the line of the file or the entry of the variable, and what.
bool ReadAcceleratorOptions(AcceleratorOptions* options, OnError on_error);

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_LITERT_ACCELERATOR_OPTIONS_H_
