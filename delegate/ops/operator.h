// An int8 operator as the delegate runs it: read from a node of the runtime's graph, sized, judged, prepared, and run in units.
//
// A new operator is a file beside this one and a line in registry.cc. What it computes is said once, by Reference, which is what TFLite's
// reference kernels compute, code for code; Run may do it in any other way that gives the same codes for every input.
//
// An operator writes one tensor. A node that writes several is read as many times, once for each.
//
// Operators neither allocate nor fail once they are prepared.
#ifndef TFLITE_EQ_DELEGATE_OPS_OPERATOR_H_
#define TFLITE_EQ_DELEGATE_OPS_OPERATOR_H_

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "delegate/array.h"
#include "delegate/graph/graph_view.h"
#include "delegate/kernels/cpu_profile.h"
#include "delegate/kernels/reason.h"
#include "delegate/graph/shape.h"
#include "delegate/ops/row_work.h"
#include "delegate/options.h"

namespace tflite_eq {

// Where an operator is to run.
struct Environment {
  const DelegateOptions& options;
  CpuProfile cpu;
};

// The CPU as far as the options let it be used.
CpuProfile AllowedCpu(const Environment& environment);

// Whether an operator can run here, and what that is worth.
struct Worth {
  // Exact on this machine, and fast enough to stand between operators that pay.
  bool possible = false;
  // What running it here saves, in multiplications that XNNPACK's convolutions would do in that time (CpuCosts); below 0 where the
  // runtime is faster. A rough figure, for weighing against the cost of handing tensors from one delegate to the other.
  double saved_multiplications = 0;
  // What the runtime takes for it, in the same unit: that is saved where the operator is run with others and costs nothing by itself. 0
  // where it is not known.
  double runtime = 0;
  Reason reason;  // in either case
  // Too little to gain for being the reason to claim anything: estimates are no closer than that.
  bool only_between = false;
};

// Of an operator without weights that works on so many values.
Worth JudgeSimple(SimpleOperator kind, int64_t values, const Environment& environment, bool insist);

// How the work on one size is divided: units that may run in any order, on any thread.
struct Units {
  int count = 0;                 // none where there is nothing to compute
  size_t scratch_bytes = 0;      // that a thread needs for one of them, aligned to Buffer::kAlignment
};

// The memory behind an operator's tensors: codes of its inputs in the order of `inputs()`, and of what it writes.
struct Codes {
  const int8_t* const* inputs = nullptr;
  int8_t* output = nullptr;
};

// What an observer is told of an operator that is prepared.
struct Description {
  const char* kernel = "";  // as the option `kernel` names it, where it is one of those
  Isa isa = Isa::kScalar;
  size_t packed_bytes = 0;  // held by it: weights, constants, tables
  // Of operators with a window; 1 of others.
  int filter_height = 1;
  int filter_width = 1;
  int stride_height = 1;
  int stride_width = 1;
};

// Constants of the model.
struct Constants {
  const void* data = nullptr;
  size_t bytes = 0;
};

// Rows and columns at the edges of images.
struct Edges {
  int top = 0;
  int bottom = 0;
  int left = 0;
  int right = 0;
};

// Codes from the least to the greatest that a tensor may hold.
struct CodeBounds {
  int least = -128;
  int greatest = 127;
};

// How an output may lie in memory.
enum class Sharing {
  kNone,     // apart from every input
  kInPlace,  // in place of the first input, if nothing reads that later
  kView,     // it is the first input under another shape: there is nothing to run then
};

class Operator {
 public:
  // The library has no operator delete of the C++ runtime; objects come from NewObject.
  static void operator delete(void* memory) { free(memory); }
  virtual ~Operator() = default;

  // Takes what the node says, weights excepted, which stay where they are, in the model. False with a reason when it is not an int8
  // operator of this kind, or not one that is understood. `inputs` and `output` are set then or earlier.
  virtual bool Read(const GraphView& graph, const NodeView& node, Reason* reason) = 0;

  // Tensors that are computed: constants are not among them.
  const Array<int>& inputs() const { return inputs_; }
  int output() const { return output_; }

  // The output's shape for inputs of these shapes, which are valid; any size may be 0. False with a reason when there is no such
  // operator, or when it is too large. Every size inside is checked here: kernels check none.
  virtual bool Resize(const Shape* inputs, Shape* output, Reason* reason) = 0;

  // At the present size, one without values standing for one that is not known yet. `insist`: the option claim asks for it.
  virtual Worth Judge(const Environment& environment, bool insist) const = 0;

  // Chooses a kernel, whether or not the policy would claim the operator at this size, and packs weights. False with a reason.
  virtual bool Prepare(const Environment& environment, int workers, Reason* reason) = 0;

  // At the present size, for as many workers as it was prepared for.
  virtual Units Divide() = 0;
  // Several threads may run units of the same object at once, each with scratch of its own.
  virtual void Run(const Codes& codes, int unit, void* scratch) const = 0;
  // All of it. The specification.
  virtual void Reference(const Codes& codes) const = 0;

  // Of an operator of which each value depends on the codes that its inputs have in the same place, and on the channel, alone: for how
  // many channels, 1 where the channel does not matter. 0 of all others.
  virtual int channelwise() const { return 0; }

  // Whether images that it writes may lie among another's channels, where a CONCATENATION would copy them to; once it is prepared.
  bool places_output() const { return places_output_; }
  // How many bytes pixels of the output lie apart then; at every size, before Divide.
  void PlaceOutput(int stride) { output_stride_ = stride; }
  // Whether it does nothing but lay the channels of tensors of four dimensions side by side, and leaves alone what lies there already.
  bool joins_channels() const { return joins_channels_; }

  // What the output's codes are among, whatever the inputs hold; and whether none of them is less or greater than all of the inputs'.
  const CodeBounds& codes() const { return codes_; }
  bool stays_among_inputs() const { return stays_among_inputs_; }
  // What the first input is known to hold; before Prepare.
  void SetInputCodes(const CodeBounds& codes) { input_codes_ = codes; }

  // Of a table whether its codes nowhere fall, and of a pool whether each of its codes is the greatest of some of the input's: it does not
  // matter then which of the two comes first.
  bool never_falls() const { return never_falls_; }
  bool is_maximum() const { return is_maximum_; }

  // Of an operator that does nothing but add edges that have the zero point for a code, how many; none of others.
  const Edges& pads() const { return pads_; }
  // Whether edges of zero points need not be there for it to be computed as if they were; once it is prepared.
  bool TakesEdges(const Edges& edges) const {
    return edges.top <= most_edges_.top && edges.bottom <= most_edges_.bottom && edges.left <= most_edges_.left &&
           edges.right <= most_edges_.right;
  }
  // Has it need them from then on, for inputs whose zero point is not the one that it was read with.
  void TakeNoEdges() { most_edges_ = Edges(); }
  // Which of them are not, before Resize.
  void LeaveOut(const Edges& edges) { edges_ = edges; }

  // Of an operator whose output is images, each computed from one of the first input's, how it is computed by rows; after Divide.
  const RowWork& row_work() const { return row_work_; }

  // What it has in a form of its own once it is prepared, and does not read again but for Reference.
  const Constants& packed_constants() const { return packed_constants_; }

  virtual Sharing sharing() const { return Sharing::kNone; }
  virtual Description Describe() const { return {}; }

 protected:
  Array<int> inputs_;
  int output_ = kNoTensor;
  bool places_output_ = false;
  bool joins_channels_ = false;
  bool stays_among_inputs_ = false;
  bool never_falls_ = false;
  bool is_maximum_ = false;
  CodeBounds codes_, input_codes_;
  int output_stride_ = 0;  // 0 where pixels follow each other
  Edges pads_, most_edges_, edges_;
  Constants packed_constants_;
  RowWork row_work_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_OPS_OPERATOR_H_
