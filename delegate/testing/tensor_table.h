// The tensors of a runtime: their descriptions, and memory in which a sanitizer sees every access out of bounds.
#ifndef TFLITE_EQ_DELEGATE_TESTING_TENSOR_TABLE_H_
#define TFLITE_EQ_DELEGATE_TESTING_TENSOR_TABLE_H_

#include <cstdlib>
#include <memory>
#include <vector>

#include "delegate/runtime_graph/runtime_graph.h"
#include "delegate/testing/graph.h"
#include "delegate/tflite_abi.h"

namespace tflite_eq {

class TensorTable {
 public:
  // Constants stay in the graph, which must outlive the table.
  explicit TensorTable(const TestGraph& graph);
  TensorTable(const TensorTable&) = delete;
  TensorTable& operator=(const TensorTable&) = delete;
  ~TensorTable();

  // Whether every tensor has a size that can be represented.
  bool valid() const { return valid_; }

  TfLiteTensor* tensors() { return tensors_.get(); }
  TfLiteTensor& at(int tensor) { return tensors_[tensor]; }
  int size() const { return size_; }
  bool Contains(int tensor) const { return tensor >= 0 && tensor < size_; }

  // Takes the shape, whatever becomes of it. False for constants and where the size has no representation. A tensor whose memory
  // the runtime plans loses it; a dynamic one gets new memory.
  bool Resize(TfLiteTensor* tensor, TfLiteIntArray* dims);

  // Gives a tensor whose memory the runtime plans a new block of exactly its size, with what the tensor held; or, after a resize,
  // a pattern, since TFLite's memory may hold anything. An empty tensor has none.
  void Allocate(int tensor);

  // Moves the table, as TFLite does when operators add tensors: whoever kept a pointer into it has a stale one.
  void Move();

 private:
  struct Free {
    void operator()(void* memory) const { free(memory); }
  };
  using Block = std::unique_ptr<uint8_t, Free>;

  void Fill(int tensor, size_t bytes);

  int size_;
  bool valid_ = true;
  std::unique_ptr<TfLiteTensor[]> tensors_;
  std::unique_ptr<TensorArrays[]> arrays_;
  std::vector<Block> blocks_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_TESTING_TENSOR_TABLE_H_
