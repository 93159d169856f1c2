// The TfLiteDelegate itself: claims nodes, stands in for them, and reports.
#include <stdio.h>

#include "delegate/array.h"
#include "delegate/conv_node.h"
#include "delegate/delegate.h"
#include "delegate/partition.h"
#include "delegate/tflite_abi.h"
#include "delegate/worker_pool.h"

namespace tflite_eq {
namespace {

struct Delegate {
  TfLiteDelegate base = {};  // first: the runtime holds a pointer to it
  DelegateOptions options;
  CpuProfile cpu;
  WorkerPool pool;
  pthread_mutex_t pool_mutex = PTHREAD_MUTEX_INITIALIZER;
  bool pool_started = false;
};

// A partition with the delegate whose threads it uses.
struct Instance {
  Delegate* delegate = nullptr;
  Partition partition;
};

Delegate* FromBase(TfLiteDelegate* base) { return static_cast<Delegate*>(base->data_); }

// Threads are started when the first model needs them, with the number that model's interpreter has unless an option says
// otherwise.
int StartWorkers(Delegate* delegate, const TfLiteContext& context) {
  pthread_mutex_lock(&delegate->pool_mutex);
  if (!delegate->pool_started) {
    const int wanted = delegate->options.num_threads > 0 ? delegate->options.num_threads : context.recommended_num_threads;
    delegate->pool.Start(wanted);
    delegate->pool_started = true;
  }
  const int workers = delegate->pool.workers();
  pthread_mutex_unlock(&delegate->pool_mutex);
  return workers;
}

void* InitInstance(TfLiteContext* context, const char* buffer, size_t) {
  const auto& params = *reinterpret_cast<const TfLiteDelegateParams*>(buffer);
  Instance* instance = NewObject<Instance>();
  if (instance == nullptr) return nullptr;
  instance->delegate = FromBase(params.delegate);
  const DelegateOptions& options = instance->delegate->options;
  const int workers = StartWorkers(instance->delegate, *context);
  if (!instance->partition.Init(context, params, options, instance->delegate->cpu, workers)) {
    DeleteObject(instance);
    return nullptr;
  }
  if (options.log_level > 1) {
    fprintf(stderr, "tflite_eq: partition of %d nodes prepared in %.1f ms, %.2f MB\n", params.nodes_to_replace->size,
            instance->partition.prepare_milliseconds(), static_cast<double>(instance->partition.memory_bytes()) / 1048576);
  }
  return instance;
}

void FreeInstance(TfLiteContext*, void* opaque) {
  auto* instance = static_cast<Instance*>(opaque);
  if (instance == nullptr) return;
  if (instance->delegate->options.profile) instance->partition.PrintProfile();
  DeleteObject(instance);
}

TfLiteStatus PrepareInstance(TfLiteContext* context, TfLiteNode* node) {
  auto* instance = static_cast<Instance*>(node->user_data);
  return instance != nullptr ? instance->partition.Prepare(context) : kTfLiteError;
}

TfLiteStatus InvokeInstance(TfLiteContext* context, TfLiteNode* node) {
  auto* instance = static_cast<Instance*>(node->user_data);
  return instance->partition.Invoke(context, &instance->delegate->pool);
}

const char* TensorName(const TfLiteContext& context, const TfLiteNode& node) {
  const char* name = node.outputs != nullptr && node.outputs->size > 0 ? context.tensors[node.outputs->data[0]].name : nullptr;
  return name != nullptr ? name : "";
}

// Whether the delegate takes a node; logs why or why not if it is a convolution.
bool Claims(const TfLiteContext& context, const Delegate& delegate, int index, const TfLiteNode& node, int32_t builtin_code) {
  if (builtin_code != kTfLiteBuiltinConv2d) return false;
  ConvNode conv;
  Reason reason;
  bool claimed = false;
  if (conv.Read(context, node, &reason)) {
    const Plan plan = conv.Choose(delegate.options, delegate.cpu);
    claimed = plan.claim;
    reason = plan.reason;
  }
  if (delegate.options.log_level > 1) {
    fprintf(stderr, "tflite_eq: node %d %s (%s): %s\n", index, claimed ? "claimed" : "refused", TensorName(context, node),
            reason.text);
  }
  return claimed;
}

TfLiteStatus PrepareDelegate(TfLiteContext* context, TfLiteDelegate* base) {
  Delegate* delegate = FromBase(base);
  TfLiteIntArray* plan = nullptr;
  if (context->GetExecutionPlan(context, &plan) != kTfLiteOk) return kTfLiteError;
  // A copy: later calls reuse the runtime's array.
  const int nodes = plan->size;
  Array<int> indices;
  auto* claimed = static_cast<TfLiteIntArray*>(malloc(sizeof(TfLiteIntArray) + sizeof(int) * static_cast<size_t>(nodes)));
  if (claimed == nullptr || !indices.Allocate(nodes)) {
    free(claimed);
    context->ReportError(context, "tflite_eq: out of memory");
    return kTfLiteError;
  }
  for (int i = 0; i < nodes; ++i) indices[i] = plan->data[i];
  claimed->size = 0;
  int convolutions = 0;
  for (int index : indices) {
    TfLiteNode* node;
    TfLiteRegistration* registration;
    if (context->GetNodeAndRegistration(context, index, &node, &registration) != kTfLiteOk) continue;
    if (registration->builtin_code == kTfLiteBuiltinConv2d) ++convolutions;
    if (Claims(*context, *delegate, index, *node, registration->builtin_code)) claimed->data[claimed->size++] = index;
  }
  if (delegate->options.log_level > 0) {
    fprintf(stderr, "tflite_eq: claimed %d of %d convolutions, %d nodes\n", claimed->size, convolutions, nodes);
  }
  TfLiteStatus status = kTfLiteOk;
  if (claimed->size == 0 && delegate->options.require_delegation) {
    context->ReportError(context,
                         "tflite_eq: require_delegation: none of %d nodes (%d convolutions) can be claimed; log_level 2 "
                         "tells why",
                         nodes, convolutions);
    status = kTfLiteError;
  } else if (claimed->size > 0) {
    TfLiteRegistration registration = {};
    registration.init = InitInstance;
    registration.free = FreeInstance;
    registration.prepare = PrepareInstance;
    registration.invoke = InvokeInstance;
    registration.builtin_code = kTfLiteBuiltinDelegate;
    registration.custom_name = "TfLiteEqDelegate";
    registration.version = 1;
    status = context->ReplaceNodeSubsetsWithDelegateKernels(context, registration, claimed, base);
  }
  free(claimed);
  return status;
}

}  // namespace

TfLiteDelegate* CreateDelegate(const DelegateOptions& options) {
  Delegate* delegate = NewObject<Delegate>();
  if (delegate == nullptr) return nullptr;
  delegate->options = options;
  delegate->cpu = DetectCpu();
  delegate->base.data_ = delegate;
  delegate->base.Prepare = PrepareDelegate;
  delegate->base.flags = kTfLiteDelegateFlagsAllowDynamicTensors | kTfLiteDelegateFlagsRequirePropagatedShapes;
  return &delegate->base;
}

void DeleteDelegate(TfLiteDelegate* base) {
  if (base != nullptr) DeleteObject(FromBase(base));
}

}  // namespace tflite_eq
