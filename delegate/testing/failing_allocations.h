// Lets the delegate's memory run out in tests.
#ifndef TFLITE_EQ_DELEGATE_TESTING_FAILING_ALLOCATIONS_H_
#define TFLITE_EQ_DELEGATE_TESTING_FAILING_ALLOCATIONS_H_

namespace tflite_eq {

// While it lives, the n-th allocation by malloc or posix_memalign fails, and only that; 0 for none. These two are the delegate's:
// the C++ runtime of tests allocates by operator new, the test runtime by calloc. One at a time.
class FailingAllocation {
 public:
  explicit FailingAllocation(int n);
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;
  ~FailingAllocation();
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_TESTING_FAILING_ALLOCATIONS_H_
