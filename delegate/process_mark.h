// Tells the process that made something from the children it forked.
//
// A forked child has a copy of all memory and one thread: locks that another thread held stay locked for ever, and threads that are
// waited for never come. Whoever has locks or threads marks them with the process they belong to and, where the mark is another's,
// makes them anew.
//
// The mark lies in a page that the kernel clears in children (MADV_WIPEONFORK, Linux 4.14), so that looking at it costs a load, and
// so that children are recognised however they came about: pthread_atfork would miss _Fork and clone, and its handlers would have to
// be taken back before the library is unloaded. Elsewhere the mark is the process's number, at the cost of a system call.
#ifndef TFLITE_EQ_DELEGATE_PROCESS_MARK_H_
#define TFLITE_EQ_DELEGATE_PROCESS_MARK_H_

#include <pthread.h>
#include <stdint.h>

namespace tflite_eq {

class ProcessMark {
 public:
  // Marked by the calling process.
  ProcessMark();
  ProcessMark(const ProcessMark&) = delete;
  ProcessMark& operator=(const ProcessMark&) = delete;
  ~ProcessMark();

  // Whether the calling process made the mark or has adopted it.
  bool IsOwn() const { return __atomic_load_n(word_, __ATOMIC_ACQUIRE) == OwnValue(); }

  // True for one thread of a process that does not own the mark: it makes anew what the mark stands for and calls FinishAdoption.
  // The others get false at once, and wait or do without.
  bool BeginAdoption();
  void FinishAdoption() { __atomic_store_n(word_, OwnValue(), __ATOMIC_RELEASE); }

  // For tests: marks made from now on are as where the kernel clears no pages.
  static void UseProcessNumbers(bool use);

 private:
  bool IsCleared() const { return word_ != &process_; }
  int64_t OwnValue() const { return IsCleared() ? 1 : ProcessNumber(); }
  static int64_t ProcessNumber();

  // Atomic. OwnValue(), or its negative during adoption; in children anything else.
  int64_t* word_;
  int64_t process_ = 0;  // where the word is without a page
};

// A mutex that a forked child finds unlocked. What it guards may be half changed there: whoever uses it makes sure that this does no
// harm.
class ForkSafeMutex {
 public:
  void Lock();
  void Unlock() { pthread_mutex_unlock(&mutex_); }

 private:
  ProcessMark mark_;
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_PROCESS_MARK_H_
