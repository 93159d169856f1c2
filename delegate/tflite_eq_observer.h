// What the delegate decided and measured, handed to a caller who asks: for benchmarks and tools. Versioned apart from the
// rest of the C API, so that a tool finds out at run time whether it and the library agree.
//
//   TfLiteEqObserver observer = {TFLITE_EQ_OBSERVER_VERSION};
//   observer.node_decided = PrintDecision;
//   if (!TfLiteEqDelegateObserve(delegate, &observer)) ...   // before the delegate is given to an interpreter
#ifndef TFLITE_EQ_DELEGATE_TFLITE_EQ_OBSERVER_H_
#define TFLITE_EQ_DELEGATE_TFLITE_EQ_OBSERVER_H_

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct TfLiteDelegate;

// Counts changes of the structures below.
#define TFLITE_EQ_OBSERVER_VERSION 3

// All strings live as long as the call they are handed to.

// The decision on one node of the model, of a kind that the delegate runs.
typedef struct {
  int32_t node;        // index of the node in the model
  const char* op;      // TFLite's name of the operator, "CONV_2D"
  bool claimed;
  const char* output;  // name of the tensor it writes; never null
  const char* reason;  // why it is claimed, or why not
} TfLiteEqNodeDecision;

// One claimed node, when its interpreter goes. Tensors that are no images count as images of one row or pixel.
typedef struct {
  int32_t node;
  const char* op;
  int32_t batch;
  int32_t input_height;
  int32_t input_width;
  int32_t input_channels;
  int32_t output_channels;
  int32_t filter_height;
  int32_t filter_width;
  int32_t stride_height;
  int32_t stride_width;
  // As the option `kernel` names it, of convolutions. "lines" or "table" of a function of codes, which several nodes may be: the last of
  // them, whose time is that of all, while the others are "fused" and have not run. Else empty.
  const char* kernel;
  const char* isa;        // as the option `isa` names it
  int64_t packed_bytes;   // transformed weights and constants
  int64_t runs;           // 0 without the option `profile`
  double milliseconds;    // of all these runs together
  // Of a node that runs in turns with its neighbours, some rows at a time, so that what lies between them is never there as a whole: the
  // rows that the last of them writes at a time. Else 0.
  int32_t stripe_rows;
} TfLiteEqNodeProfile;

// One group of claimed nodes that run in a row, when its interpreter goes.
typedef struct {
  int32_t nodes;
  double prepare_milliseconds;  // transforming the weights
  int64_t packed_bytes;         // the sum over its nodes
  // What they need while they run, of memory that all groups of an interpreter share: the largest figures are what it takes.
  int64_t scratch_bytes;
  int64_t tensor_bytes;         // between them
} TfLiteEqPartitionProfile;

typedef struct {
  int32_t version;  // TFLITE_EQ_OBSERVER_VERSION
  void* user_data;  // first argument of the functions below, any of which may be null
  // While the delegate is applied to a model, once for each node of a kind that it runs, in order.
  void (*node_decided)(void* user_data, const TfLiteEqNodeDecision* decision);
  // While the interpreter is deleted: first the nodes of a partition, then the partition. node_finished takes the place of the
  // lines that the option `profile` prints.
  void (*node_finished)(void* user_data, const TfLiteEqNodeProfile* profile);
  void (*partition_finished)(void* user_data, const TfLiteEqPartitionProfile* profile);
} TfLiteEqObserver;

// The observer is copied. False, and nothing is observed, when the library knows another version only.
bool TfLiteEqDelegateObserve(struct TfLiteDelegate* delegate, const TfLiteEqObserver* observer);

#ifdef __cplusplus
}
#endif

#endif  // TFLITE_EQ_DELEGATE_TFLITE_EQ_OBSERVER_H_
