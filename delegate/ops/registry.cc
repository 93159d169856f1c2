#include "delegate/ops/registry.h"

#include "delegate/array.h"
#include "delegate/ops/conv_2d.h"

namespace tflite_eq {
namespace {

template <typename Kind>
Operator* Make() {
  return NewObject<Kind>();
}

constexpr OperatorKind kKinds[] = {
    {kTfLiteBuiltinConv2d, "CONV_2D", Make<Conv2d>},
};

}  // namespace

const OperatorKind* FindOperator(int32_t builtin_code) {
  for (const OperatorKind& kind : kKinds) {
    if (kind.builtin_code == builtin_code) return &kind;
  }
  return nullptr;
}

bool OperatorHolder::Read(const GraphView& graph, const NodeView& node, Reason* reason) {
  DeleteOperator(held_);
  held_ = nullptr;
  kind_ = FindOperator(node.builtin_code);
  if (kind_ == nullptr) {
    reason->Set("the delegate does not run operators of this kind");
    return false;
  }
  held_ = kind_->make();
  if (held_ == nullptr) {
    reason->Set("out of memory");
    return false;
  }
  return held_->Read(graph, node, reason);
}

}  // namespace tflite_eq
