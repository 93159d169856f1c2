// Counts what a test's process allocates, in every thread and by every way.
#ifndef TFLITE_EQ_DELEGATE_ALLOCATION_COUNTER_H_
#define TFLITE_EQ_DELEGATE_ALLOCATION_COUNTER_H_

namespace tflite_eq {

// Allocations since the process began.
long AllocationCount();

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_ALLOCATION_COUNTER_H_
