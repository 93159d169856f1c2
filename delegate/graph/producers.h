// Which node writes each tensor of a model, and whether the model is in order: every tensor is written once, and read after that.
//
// The runtime runs nodes in the order of its plan, so that a model which is not in order has a meaning all the same. But once a
// delegate takes nodes, the runtime sorts all of them anew, by the tensors they read and write and by the delegate they belong to
// (graph_info.cc), and that keeps the meaning of models in order only. Of others no delegate can take anything: nodes that it never
// touches could run on other values.
#ifndef TFLITE_EQ_DELEGATE_GRAPH_PRODUCERS_H_
#define TFLITE_EQ_DELEGATE_GRAPH_PRODUCERS_H_

#include <stdint.h>

#include "delegate/array.h"
#include "delegate/graph/graph_view.h"
#include "delegate/kernels/reason.h"

namespace tflite_eq {

class Producers {
 public:
  static constexpr int kNone = -1;

  // Looks at every node of the plan once. False when memory runs out.
  bool Find(const GraphView& graph, const Array<int>& plan);

  // If false, the reason names what was found first.
  bool in_order() const { return in_order_; }
  const Reason& disorder() const { return disorder_; }

  // Position in the plan of the node that writes the tensor; kNone for inputs of the model and constants. Of a model in order.
  int of(int tensor) const { return tensor >= 0 && tensor < uses_.size() ? uses_[tensor].writer : kNone; }

 private:
  // Of the nodes seen so far, as positions in the plan.
  struct Use {
    int writer = kNone;
    int reader = kNone;  // the last one
  };

  bool Read(const GraphView& graph, const Array<int>& plan, int position, int tensor);
  bool Write(const GraphView& graph, const Array<int>& plan, int position, int tensor);
  bool Visit(const GraphView& graph, const Array<int>& plan, int position);

  Array<Use> uses_;  // by tensor
  bool in_order_ = false;
  Reason disorder_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_GRAPH_PRODUCERS_H_
