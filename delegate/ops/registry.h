// The operators that the delegate runs.
#ifndef TFLITE_EQ_DELEGATE_OPS_REGISTRY_H_
#define TFLITE_EQ_DELEGATE_OPS_REGISTRY_H_

#include <stdint.h>

#include "delegate/ops/operator.h"

namespace tflite_eq {

struct OperatorKind {
  int32_t builtin_code;
  const char* name;      // TFLite's
  Operator* (*make)();   // null when memory runs out; DeleteOperator gives it back
};

// Null for operators that are the runtime's alone.
const OperatorKind* FindOperator(int32_t builtin_code);

// All of them, by name.
struct OperatorKinds {
  const OperatorKind* first;
  int count;
  const OperatorKind* begin() const { return first; }
  const OperatorKind* end() const { return first + count; }
};
OperatorKinds AllOperators();

inline void DeleteOperator(Operator* made) { delete made; }

// Owns one operator.
class OperatorHolder {
 public:
  OperatorHolder() = default;
  OperatorHolder(const OperatorHolder&) = delete;
  OperatorHolder& operator=(const OperatorHolder&) = delete;
  ~OperatorHolder() { DeleteOperator(held_); }

  // Of the node's kind, read from it. False with a reason.
  bool Read(const GraphView& graph, const NodeView& node, Reason* reason);
  void Swap(OperatorHolder* other) {
    Operator* const held = held_;
    const OperatorKind* const kind = kind_;
    held_ = other->held_;
    kind_ = other->kind_;
    other->held_ = held;
    other->kind_ = kind;
  }
  const OperatorKind& kind() const { return *kind_; }
  Operator* operator->() const { return held_; }
  Operator& operator*() const { return *held_; }

 private:
  const OperatorKind* kind_ = nullptr;
  Operator* held_ = nullptr;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_REGISTRY_H_
