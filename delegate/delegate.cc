// The TfLiteDelegate itself: claims nodes, stands in for them, and reports.
#include "delegate/array.h"
#include "delegate/delegate.h"
#include "delegate/kernels/cpu_features.h"
#include "delegate/log.h"
#include "delegate/process_mark.h"
#include "delegate/program.h"
#include "delegate/selection.h"
#include "delegate/tflite_abi.h"
#include "delegate/worker_pool.h"

namespace tflite_eq {
namespace {

// The workspace of an interpreter, known by its context, of which there is one for every subgraph.
struct SharedWorkspace {
  Workspace workspace;
  TfLiteContext* context = nullptr;
  int programs = 0;
  SharedWorkspace* next = nullptr;
};

struct Delegate {
  TfLiteDelegate base = {};  // first: the runtime holds a pointer to it
  DelegateOptions options;
  CpuProfile cpu;
  TfLiteEqObserver observer = {};
  WorkerPool pool;
  // Guards what follows. A child that was forked within one of the short sections under it may count an instance too many, and then
  // never frees the delegate.
  ForkSafeMutex mutex;
  bool pool_started = false;
  int instances = 0;  // in interpreters
  bool closed = false;
  bool deleted = false;
  SharedWorkspace* workspaces = nullptr;
};

// A group of nodes with the delegate whose threads it uses.
struct Instance {
  Delegate* delegate = nullptr;
  SharedWorkspace* shared = nullptr;
  Program program;
};

Delegate* FromBase(TfLiteDelegate* base) { return static_cast<Delegate*>(base->data_); }

// Threads are started when the first model needs them, with the number that model's interpreter has unless an option says
// otherwise.
int Enter(Delegate* delegate, const TfLiteContext& context) {
  delegate->mutex.Lock();
  ++delegate->instances;
  if (!delegate->pool_started && !delegate->closed) {
    delegate->pool.Start(delegate->options.ThreadsFor(context.recommended_num_threads));
    delegate->pool_started = true;
  }
  const int workers = delegate->pool.workers();
  delegate->mutex.Unlock();
  return workers;
}

void Leave(Delegate* delegate) {
  delegate->mutex.Lock();
  const bool last = --delegate->instances == 0;
  if (last && delegate->closed) delegate->pool.Stop();
  const bool unowned = last && delegate->deleted;
  delegate->mutex.Unlock();
  if (unowned) DeleteObject(delegate);
}

// Null when memory runs out.
SharedWorkspace* ShareWorkspace(Delegate* delegate, TfLiteContext* context) {
  delegate->mutex.Lock();
  SharedWorkspace* shared = delegate->workspaces;
  while (shared != nullptr && shared->context != context) shared = shared->next;
  if (shared == nullptr && (shared = NewObject<SharedWorkspace>()) != nullptr) {
    shared->context = context;
    shared->next = delegate->workspaces;
    delegate->workspaces = shared;
  }
  if (shared != nullptr) ++shared->programs;
  delegate->mutex.Unlock();
  return shared;
}

void LeaveWorkspace(Delegate* delegate, SharedWorkspace* shared) {
  if (shared == nullptr) return;
  delegate->mutex.Lock();
  const bool last = --shared->programs == 0;
  if (last) {
    SharedWorkspace** at = &delegate->workspaces;
    while (*at != shared) at = &(*at)->next;
    *at = shared->next;
  }
  delegate->mutex.Unlock();
  if (last) DeleteObject(shared);
}

void DeleteInstance(Instance* instance) {
  Delegate* delegate = instance->delegate;
  SharedWorkspace* shared = instance->shared;
  DeleteObject(instance);
  LeaveWorkspace(delegate, shared);
  Leave(delegate);
}

void* InitInstance(TfLiteContext* context, const char* buffer, size_t) {
  const auto* params = reinterpret_cast<const TfLiteDelegateParams*>(buffer);
  Instance* instance = params != nullptr && params->delegate != nullptr ? NewObject<Instance>() : nullptr;
  if (instance == nullptr) {
    context->ReportError(context, "tflite_eq: out of memory for a group of nodes");
    return nullptr;
  }
  instance->delegate = FromBase(params->delegate);
  const int workers = Enter(instance->delegate, *context);
  const DelegateOptions& options = instance->delegate->options;
  CpuProfile cpu = instance->delegate->cpu;
  cpu.threads = options.ThreadsFor(context->recommended_num_threads);  // as when the nodes were selected
  instance->shared = ShareWorkspace(instance->delegate, context);
  if (instance->shared == nullptr) {
    context->ReportError(context, "tflite_eq: out of memory for a group of nodes");
  } else if (instance->program.Init(context, *params, {options, cpu}, workers, &instance->shared->workspace)) {
    return instance;
  }
  DeleteInstance(instance);
  return nullptr;
}

void FreeInstance(TfLiteContext*, void* opaque) {
  auto* instance = static_cast<Instance*>(opaque);
  if (instance == nullptr) return;
  Delegate* delegate = instance->delegate;
  if (delegate->options.profile && delegate->observer.node_finished == nullptr) instance->program.PrintProfile();
  instance->program.Report(delegate->observer);
  DeleteInstance(instance);
}

bool IsClosed(Delegate* delegate) {
  delegate->mutex.Lock();
  const bool closed = delegate->closed;
  delegate->mutex.Unlock();
  return closed;
}

// Null after reporting, when InitInstance failed: the runtime goes on with such a node.
Instance* InstanceOf(TfLiteContext* context, const TfLiteNode* node) {
  if (node->user_data == nullptr) {
    context->ReportError(context, "tflite_eq: a group of nodes could not be set up when the delegate was applied: see what was "
                                  "reported then");
  }
  return static_cast<Instance*>(node->user_data);
}

TfLiteStatus PrepareInstance(TfLiteContext* context, TfLiteNode* node) {
  auto* instance = InstanceOf(context, node);
  if (instance == nullptr) return kTfLiteError;
  const TfLiteStatus status = instance->program.Prepare(context);
  // Here rather than where it was made: scratch is part of what it takes, and changes with the input's size.
  if (status == kTfLiteOk && instance->delegate->options.log_level > 1) {
    const int nodes = instance->program.nodes();
    Log(Severity::kInfo, "partition of %d node%s: prepared in %.1f ms, takes %.2f MB", nodes, nodes == 1 ? "" : "s",
        instance->program.prepare_milliseconds(), static_cast<double>(instance->program.memory_bytes()) / 1048576);
  }
  return status;
}

TfLiteStatus InvokeInstance(TfLiteContext* context, TfLiteNode* node) {
  auto* instance = InstanceOf(context, node);
  if (instance == nullptr) return kTfLiteError;
  return instance->program.Invoke(context, &instance->delegate->pool);
}

void ReportDecisions(const Selection& selection, const TfLiteEqObserver& observer) {
  if (observer.node_decided == nullptr) return;
  for (const Selection::Candidate& candidate : selection.candidates()) {
    if (candidate.kind == nullptr) continue;
    const TfLiteEqNodeDecision decision = {candidate.node, candidate.kind->name, candidate.claimed, candidate.name,
                                           candidate.reason.text};
    observer.node_decided(observer.user_data, &decision);
  }
}

TfLiteStatus PrepareDelegate(TfLiteContext* context, TfLiteDelegate* base) {
  Delegate* delegate = FromBase(base);
  if (IsClosed(delegate)) {
    context->ReportError(context, "tflite_eq: the delegate was closed before this model got it: create another one");
    return kTfLiteError;
  }
  Selection selection;
  if (!selection.Select(context, delegate->options, delegate->cpu)) return kTfLiteError;
  ReportDecisions(selection, delegate->observer);
  if (delegate->options.log_level > 0) {
    Log(Severity::kInfo, "claimed %d of %d nodes, %d of them of kinds that the delegate runs", selection.claimed()->size,
        selection.nodes(), selection.known());
  }
  if (selection.claimed()->size == 0) {
    if (!delegate->options.require_delegation) return kTfLiteOk;
    context->ReportError(context,
                         "tflite_eq: require_delegation: none of %d nodes (%d of kinds that the delegate runs) can be claimed; "
                         "log_level 2 tells why",
                         selection.nodes(), selection.known());
    return kTfLiteError;
  }
  TfLiteRegistration registration = {};
  registration.init = InitInstance;
  registration.free = FreeInstance;
  registration.prepare = PrepareInstance;
  registration.invoke = InvokeInstance;
  registration.builtin_code = kTfLiteBuiltinDelegate;
  registration.custom_name = "TfLiteEqDelegate";
  registration.version = 1;
  return context->ReplaceNodeSubsetsWithDelegateKernels(context, registration, selection.claimed(), base);
}

}  // namespace

TfLiteDelegate* CreateDelegate(const DelegateOptions& options) {
  Delegate* delegate = NewObject<Delegate>();
  if (delegate == nullptr) return nullptr;
  delegate->options = options;
  delegate->cpu = DetectCpu();
  delegate->base.data_ = delegate;
  delegate->base.Prepare = PrepareDelegate;
  // Partitions compute their shapes by themselves; the original nodes are prepared for what the runtime itself would refuse.
  delegate->base.flags = kTfLiteDelegateFlagsAllowDynamicTensors | kTfLiteDelegateFlagsRequirePropagatedShapes;
  return &delegate->base;
}

void ObserveDelegate(TfLiteDelegate* base, const TfLiteEqObserver& observer) { FromBase(base)->observer = observer; }

void CloseDelegate(TfLiteDelegate* base) {
  Delegate* delegate = FromBase(base);
  delegate->mutex.Lock();
  delegate->closed = true;
  if (delegate->instances == 0) delegate->pool.Stop();
  delegate->mutex.Unlock();
}

void DeleteDelegate(TfLiteDelegate* base) {
  if (base == nullptr) return;
  Delegate* delegate = FromBase(base);
  delegate->mutex.Lock();
  delegate->deleted = true;
  const bool unused = delegate->instances == 0;
  delegate->mutex.Unlock();
  if (unused) DeleteObject(delegate);
}

}  // namespace tflite_eq
