#include "delegate/test_runtime.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "delegate/kernels/geometry.h"
#include "delegate/kernels/reference.h"
#include "delegate/kernels/requantize.h"

namespace tflite_eq {
namespace {

constexpr int kSize = 3;  // of every filter, height and width

template <typename Array, typename T>
Array* MakeArray(const std::vector<T>& values) {
  auto* array = static_cast<Array*>(malloc(sizeof(Array) + values.size() * sizeof(T)));
  array->size = static_cast<int>(values.size());
  if (!values.empty()) memcpy(array->data, values.data(), values.size() * sizeof(T));
  return array;
}

ConvShape ShapeOf(const TestModel& model, int batch, int height, int width) {
  ConvShape s;
  s.batch = batch;
  s.input_height = height;
  s.input_width = width;
  s.input_channels = s.output_channels = model.channels;
  s.filter_height = s.filter_width = kSize;
  ResolvePadding(Padding::kSame, &s);
  return s;
}

void RunLayer(const TestModel& model, int index, const ConvShape& shape, const int8_t* input, int8_t* output) {
  const TestModel::Layer& layer = model.layers[index];
  if (layer.copies) {
    memcpy(output, input, static_cast<size_t>(shape.batch) * shape.output_height * shape.output_width * model.channels);
    return;
  }
  const float input_scale = index > 0 ? model.layers[index - 1].scale : model.input_scale;
  std::vector<int32_t> multiplier(model.channels), shift(model.channels);
  for (int k = 0; k < model.channels; ++k) {
    int exponent;
    QuantizeMultiplier(EffectiveScale(input_scale, layer.scales[k], layer.scale), &multiplier[k], &exponent);
    shift[k] = exponent;
  }
  ConvProblem problem;
  problem.shape = shape;
  problem.quantization.input_zero_point = index > 0 ? model.layers[index - 1].zero_point : model.input_zero_point;
  problem.quantization.output_zero_point = layer.zero_point;
  problem.quantization.multiplier = multiplier.data();
  problem.quantization.shift = shift.data();
  problem.weights.filter = layer.filter.data();
  problem.weights.bias = layer.bias.data();
  ReferenceConv(problem, input, output);
}

}  // namespace

TestModel MakeTestModel(const std::string& kinds, int channels, Values values, unsigned seed) {
  std::mt19937 random(seed);
  TestModel model;
  model.channels = channels;
  float scale = model.input_scale;
  int zero_point = model.input_zero_point;
  for (char kind : kinds) {
    TestModel::Layer layer;
    layer.copies = kind == '-';
    if (!layer.copies) {
      RandomProblem p;
      ProblemOptions options;
      options.values = values;
      FillRandomProblem(ShapeOf(model, 1, kSize, kSize), options, &random, &p);
      layer.filter = p.filter;
      layer.bias = p.bias;
      for (int k = 0; k < channels; ++k) layer.scales.push_back(0.01f * static_cast<float>(1 + random() % 100));
      // Accumulators spread like sqrt(filter size) times two typical codes; outputs then fill their range.
      scale *= 0.5f * std::sqrt(static_cast<float>(kSize * kSize * channels)) * 74;
      zero_point = static_cast<int>(random() % 16);
    }
    layer.scale = scale;
    layer.zero_point = zero_point;
    model.layers.push_back(layer);
  }
  return model;
}

std::vector<int8_t> RunReference(const TestModel& model, int batch, int height, int width, const std::vector<int8_t>& input) {
  const ConvShape shape = ShapeOf(model, batch, height, width);
  std::vector<int8_t> codes = input;
  std::vector<int8_t> next(input.size());
  for (size_t i = 0; i < model.layers.size(); ++i) {
    RunLayer(model, static_cast<int>(i), shape, codes.data(), next.data());
    codes.swap(next);
  }
  return codes;
}

// Owns the arrays that TfLiteDelegateParams points to.
struct TestRuntime::Partition {
  TfLiteDelegateParams params = {};
  std::vector<int> nodes, layers;
  ~Partition() {
    free(params.nodes_to_replace);
    free(params.input_tensors);
    free(params.output_tensors);
  }
};

TestRuntime::TestRuntime(const TestModel& model, int threads, int size) : model_(model) {
  const int layers = static_cast<int>(model.layers.size());
  tensors_.reserve(static_cast<size_t>(1 + 3 * layers));  // the context points to them
  const std::vector<int> shape = {1, size, size, model.channels};
  after_.push_back(AddTensor(kTfLiteInt8, shape, {model.input_scale}, model.input_zero_point, nullptr, 0));
  for (int i = 0; i < layers; ++i) AddLayer(i, shape);
  data_.resize(after_.size());
  std::vector<int> order(nodes_.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
  plan_ = MakeArray<TfLiteIntArray>(order);
  context_.impl_ = this;
  context_.tensors = tensors_.data();
  context_.tensors_size = tensors_.size();
  context_.recommended_num_threads = threads;
  context_.GetExecutionPlan = GetExecutionPlan;
  context_.ResizeTensor = ResizeTensor;
  context_.ReportError = ReportError;
  context_.GetNodeAndRegistration = GetNode;
  context_.ReplaceNodeSubsetsWithDelegateKernels = Replace;
  context_.PreviewDelegatePartitioning = Preview;
}

TestRuntime::~TestRuntime() {
  for (Node& node : nodes_) {
    if (node.layer < 0) node.registration.free(&context_, node.node.user_data);
    free(node.node.inputs);
    free(node.node.outputs);
  }
  for (TfLiteTensor& tensor : tensors_) free(tensor.dims);
  for (TfLiteAffineQuantizationParams& affine : affine_) {
    free(affine.scale);
    free(affine.zero_point);
  }
  free(plan_);
}

int TestRuntime::AddTensor(int32_t type, const std::vector<int>& shape, const std::vector<float>& scales, int zero_point,
                           const void* constant, size_t bytes) {
  affine_.push_back({MakeArray<TfLiteFloatArray>(scales),
                     MakeArray<TfLiteIntArray>(std::vector<int>(scales.size(), zero_point)), 0});
  TfLiteTensor tensor = {};
  tensor.type = type;
  tensor.dims = MakeArray<TfLiteIntArray>(shape);
  tensor.params.scale = scales[0];
  tensor.params.zero_point = zero_point;
  tensor.allocation_type = constant != nullptr ? kTfLiteMmapRo : kTfLiteArenaRw;
  tensor.data.raw = const_cast<void*>(constant);
  tensor.bytes = bytes;
  tensor.name = "tensor";
  tensor.quantization.type = kTfLiteAffineQuantization;
  tensor.quantization.params = &affine_.back();
  tensors_.push_back(tensor);
  return static_cast<int>(tensors_.size()) - 1;
}

void TestRuntime::AddLayer(int index, const std::vector<int>& shape) {
  const TestModel::Layer& layer = model_.layers[index];
  const int c = model_.channels;
  nodes_.emplace_back();
  Node& node = nodes_.back();
  node.layer = index;
  std::vector<int> inputs = {after_.back()};
  if (!layer.copies) {
    inputs.push_back(AddTensor(kTfLiteInt8, {c, kSize, kSize, c}, layer.scales, 0, layer.filter.data(), layer.filter.size()));
    inputs.push_back(AddTensor(kTfLiteInt32, {c}, layer.scales, 0, layer.bias.data(), layer.bias.size() * sizeof(int32_t)));
    node.registration.builtin_code = kTfLiteBuiltinConv2d;
    node.parameters.padding = kTfLitePaddingSame;
    node.parameters.stride_width = node.parameters.stride_height = 1;
    node.parameters.dilation_width_factor = node.parameters.dilation_height_factor = 1;
    node.node.builtin_data = &node.parameters;
  }
  after_.push_back(AddTensor(kTfLiteInt8, shape, {layer.scale}, layer.zero_point, nullptr, 0));
  node.node.inputs = MakeArray<TfLiteIntArray>(inputs);
  node.node.outputs = MakeArray<TfLiteIntArray>(std::vector<int>{after_.back()});
}

bool TestRuntime::Apply(TfLiteDelegate* delegate) { return delegate->Prepare(&context_, delegate) == kTfLiteOk; }

bool TestRuntime::Resize(int batch, int height, int width) {
  TfLiteTensor* input = &tensors_[after_.front()];
  ResizeTensor(&context_, input, MakeArray<TfLiteIntArray>(std::vector<int>{batch, height, width, model_.channels}));
  data_.front().assign(static_cast<size_t>(batch) * height * width * model_.channels, 0);
  input->data.raw = data_.front().data();
  for (int i = 0; i < plan_->size; ++i) {
    if (!Prepare(&nodes_[plan_->data[i]])) return false;
  }
  return true;
}

// Has the node give its output a shape, then gives the output memory. Tensors inside a partition get none.
bool TestRuntime::Prepare(Node* node) {
  const int last = node->layer >= 0 ? node->layer : node->layers.back();
  TfLiteTensor* output = &tensors_[after_[last + 1]];
  if (node->layer < 0) {
    if (node->registration.prepare(&context_, &node->node) != kTfLiteOk) return false;
  } else {
    const TfLiteIntArray* dims = tensors_[after_[last]].dims;
    ResizeTensor(&context_, output, MakeArray<TfLiteIntArray>(std::vector<int>(dims->data, dims->data + dims->size)));
  }
  size_t bytes = 1;
  for (int i = 0; i < output->dims->size; ++i) bytes *= static_cast<size_t>(output->dims->data[i]);
  data_[last + 1].assign(bytes, 0);
  output->data.raw = data_[last + 1].data();
  return true;
}

bool TestRuntime::Invoke() {
  for (int i = 0; i < plan_->size; ++i) {
    if (!InvokeNode(&nodes_[plan_->data[i]])) return false;
  }
  return true;
}

bool TestRuntime::InvokeNode(Node* node) {
  if (node->layer < 0) return node->registration.invoke(&context_, &node->node) == kTfLiteOk;
  const int* dims = tensors_[after_[node->layer]].dims->data;
  RunLayer(model_, node->layer, ShapeOf(model_, dims[0], dims[1], dims[2]), data_[node->layer].data(),
           data_[node->layer + 1].data());
  return true;
}

int TestRuntime::delegated() const {
  int count = 0;
  for (const Node& node : nodes_) count += static_cast<int>(node.layers.size());
  return count;
}

TfLiteStatus TestRuntime::GetExecutionPlan(TfLiteContext* context, TfLiteIntArray** plan) {
  *plan = From(context)->plan_;
  return kTfLiteOk;
}

TfLiteStatus TestRuntime::ResizeTensor(TfLiteContext*, TfLiteTensor* tensor, TfLiteIntArray* dims) {
  free(tensor->dims);
  tensor->dims = dims;
  return kTfLiteOk;
}

void TestRuntime::ReportError(TfLiteContext* context, const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  From(context)->error_ = text;
}

TfLiteStatus TestRuntime::GetNode(TfLiteContext* context, int index, TfLiteNode** node, TfLiteRegistration** registration) {
  Node& found = From(context)->nodes_[index];
  *node = &found.node;
  *registration = &found.registration;
  return kTfLiteOk;
}

std::vector<std::unique_ptr<TestRuntime::Partition>> TestRuntime::PartitionsOf(const TfLiteIntArray* nodes,
                                                                               TfLiteDelegate* delegate) const {
  std::vector<std::unique_ptr<Partition>> partitions;
  bool open = false;
  for (int i = 0; i < plan_->size; ++i) {
    const int index = plan_->data[i];
    bool wanted = false;
    for (int j = 0; j < nodes->size; ++j) wanted = wanted || nodes->data[j] == index;
    if (wanted && !open) partitions.push_back(std::make_unique<Partition>());
    open = wanted;
    if (!wanted) continue;
    partitions.back()->nodes.push_back(index);
    partitions.back()->layers.push_back(nodes_[index].layer);
  }
  for (const auto& partition : partitions) {
    TfLiteDelegateParams& params = partition->params;
    params.delegate = delegate;
    params.nodes_to_replace = MakeArray<TfLiteIntArray>(partition->nodes);
    params.input_tensors = MakeArray<TfLiteIntArray>(std::vector<int>{after_[partition->layers.front()]});
    params.output_tensors = MakeArray<TfLiteIntArray>(std::vector<int>{after_[partition->layers.back() + 1]});
  }
  return partitions;
}

TfLiteStatus TestRuntime::Preview(TfLiteContext* context, const TfLiteIntArray* nodes, TfLiteDelegateParams** partitions,
                                  int* count) {
  TestRuntime* self = From(context);
  self->previewed_ = self->PartitionsOf(nodes, nullptr);
  self->previewed_params_.clear();
  for (const auto& partition : self->previewed_) self->previewed_params_.push_back(partition->params);
  *partitions = self->previewed_params_.data();
  *count = static_cast<int>(self->previewed_params_.size());
  return kTfLiteOk;
}

TfLiteStatus TestRuntime::Replace(TfLiteContext* context, TfLiteRegistration registration, const TfLiteIntArray* nodes,
                                  TfLiteDelegate* delegate) {
  TestRuntime* self = From(context);
  std::vector<int> plan(self->plan_->data, self->plan_->data + self->plan_->size);
  bool good = true;
  for (const auto& partition : self->PartitionsOf(nodes, delegate)) {
    self->nodes_.emplace_back();
    Node& node = self->nodes_.back();
    node.registration = registration;
    node.layers = partition->layers;
    node.node.delegate = delegate;
    node.node.inputs = MakeArray<TfLiteIntArray>(std::vector<int>{partition->params.input_tensors->data[0]});
    node.node.outputs = MakeArray<TfLiteIntArray>(std::vector<int>{partition->params.output_tensors->data[0]});
    // An incomplete node goes with the runtime as well.
    node.node.user_data = registration.init(context, reinterpret_cast<const char*>(&partition->params), 0);
    good = good && node.node.user_data != nullptr;
    const int replacement = static_cast<int>(self->nodes_.size()) - 1;
    std::vector<int> rest;
    for (int index : plan) {
      if (index == partition->nodes.front()) rest.push_back(replacement);
      bool replaced = false;
      for (int member : partition->nodes) replaced = replaced || member == index;
      if (!replaced) rest.push_back(index);
    }
    plan = rest;
  }
  free(self->plan_);
  self->plan_ = MakeArray<TfLiteIntArray>(plan);
  return good ? kTfLiteOk : kTfLiteError;
}

}  // namespace tflite_eq
