// Stands in for a TFLite runtime in tests: a model of int8 convolutions one after the other, seen through TFLite's C ABI, that
// a delegate can be applied to, resized and run. Small enough to be run under sanitizers with every thread it has.
#ifndef TFLITE_EQ_DELEGATE_TEST_RUNTIME_H_
#define TFLITE_EQ_DELEGATE_TEST_RUNTIME_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "delegate/kernels/conv_types.h"
#include "delegate/kernels/random_problem.h"
#include "delegate/tflite_abi.h"

namespace tflite_eq {

// Layers with the same number of channels throughout, so that any may follow any.
struct TestModel {
  struct Layer {
    // A layer that is no convolution, which every delegate leaves to the runtime: it copies codes.
    bool copies = false;
    std::vector<int8_t> filter;  // 3x3
    std::vector<int32_t> bias;
    std::vector<float> scales;  // of the filter, per output channel
    // Of the layer's output.
    float scale = 0;
    int zero_point = 0;
  };

  int channels = 0;
  float input_scale = 0.05f;
  int input_zero_point = 0;
  std::vector<Layer> layers;
};

// `kinds` has a letter per layer: c for a convolution, - for a copy.
TestModel MakeTestModel(const std::string& kinds, int channels, Values values, unsigned seed);

// What the model computes, by the reference kernel.
std::vector<int8_t> RunReference(const TestModel& model, int batch, int height, int width, const std::vector<int8_t>& input);

// One interpreter. Used by one thread at a time, like TFLite's.
class TestRuntime {
 public:
  // The model must outlive the runtime. `size` is the height and width the model was made for, which a delegate sees first.
  TestRuntime(const TestModel& model, int threads, int size = 3);
  TestRuntime(const TestRuntime&) = delete;
  TestRuntime& operator=(const TestRuntime&) = delete;
  ~TestRuntime();

  // What happens when an interpreter is made with a delegate.
  bool Apply(TfLiteDelegate* delegate);
  // Gives the input another size and prepares every node.
  bool Resize(int batch, int height, int width);
  bool Invoke();

  std::vector<int8_t>& input() { return data_.front(); }
  const std::vector<int8_t>& output() const { return data_.back(); }
  // Nodes that delegates run.
  int delegated() const;
  // What the delegate reported last.
  const std::string& error() const { return error_; }

 private:
  struct Node {
    TfLiteNode node = {};
    TfLiteRegistration registration = {};
    TfLiteConvParams parameters = {};
    int layer = -1;  // -1: a delegate's
    std::vector<int> layers;  // a delegate's
  };

  static TestRuntime* From(TfLiteContext* context) { return static_cast<TestRuntime*>(context->impl_); }
  static TfLiteStatus GetExecutionPlan(TfLiteContext* context, TfLiteIntArray** plan);
  static TfLiteStatus ResizeTensor(TfLiteContext* context, TfLiteTensor* tensor, TfLiteIntArray* dims);
  static void ReportError(TfLiteContext* context, const char* format, ...);
  static TfLiteStatus GetNode(TfLiteContext* context, int index, TfLiteNode** node, TfLiteRegistration** registration);
  static TfLiteStatus Replace(TfLiteContext* context, TfLiteRegistration registration, const TfLiteIntArray* nodes,
                              TfLiteDelegate* delegate);
  static TfLiteStatus Preview(TfLiteContext* context, const TfLiteIntArray* nodes, TfLiteDelegateParams** partitions,
                              int* count);

  struct Partition;
  std::vector<std::unique_ptr<Partition>> PartitionsOf(const TfLiteIntArray* nodes, TfLiteDelegate* delegate) const;
  int AddTensor(int32_t type, const std::vector<int>& shape, const std::vector<float>& scales, int zero_point,
                const void* constant, size_t bytes);
  void AddLayer(int layer, const std::vector<int>& shape);
  bool Prepare(Node* node);
  bool InvokeNode(Node* node);

  const TestModel& model_;
  TfLiteContext context_ = {};
  std::vector<TfLiteTensor> tensors_;
  std::deque<TfLiteAffineQuantizationParams> affine_;
  std::vector<int> after_;  // the input, then the output of each layer, as tensors
  std::deque<std::vector<int8_t>> data_;  // of those
  std::deque<Node> nodes_;
  TfLiteIntArray* plan_ = nullptr;
  std::vector<std::unique_ptr<Partition>> previewed_;
  std::vector<TfLiteDelegateParams> previewed_params_;
  std::string error_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_TEST_RUNTIME_H_
