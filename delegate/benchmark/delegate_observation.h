// What a tflite_eq delegate tells of one model (tflite_eq_observer.h), kept.
#ifndef TFLITE_EQ_DELEGATE_BENCHMARK_DELEGATE_OBSERVATION_H_
#define TFLITE_EQ_DELEGATE_BENCHMARK_DELEGATE_OBSERVATION_H_

#include "delegate/benchmark/list.h"
#include "delegate/tflite_eq_observer.h"

namespace tflite_eq {

class DelegateObservation {
 public:
  struct Decision {
    int node;
    bool claimed;
    char op[24];
    char output[96];
    char reason[192];
  };
  struct Layer {
    TfLiteEqNodeProfile profile;  // but for its strings, which are copied below
    char op[24];
    char kernel[24];
    char isa[24];
    double milliseconds_per_run() const {
      return profile.runs > 0 ? profile.milliseconds / static_cast<double>(profile.runs) : 0;
    }
  };

  DelegateObservation();
  DelegateObservation(const DelegateObservation&) = delete;
  DelegateObservation& operator=(const DelegateObservation&) = delete;

  const TfLiteEqObserver* observer() const { return &observer_; }

  // From when the delegate was applied.
  const List<Decision>& decisions() const { return decisions_; }
  int claimed() const;
  // From when the interpreter went.
  const List<Layer>& layers() const { return layers_; }
  const List<TfLiteEqPartitionProfile>& partitions() const { return partitions_; }
  // Summed up.
  TfLiteEqPartitionProfile total() const;

 private:
  static void OnDecision(void* self, const TfLiteEqNodeDecision* decision);
  static void OnLayer(void* self, const TfLiteEqNodeProfile* profile);
  static void OnPartition(void* self, const TfLiteEqPartitionProfile* profile);

  TfLiteEqObserver observer_ = {};
  List<Decision> decisions_;
  List<Layer> layers_;
  List<TfLiteEqPartitionProfile> partitions_;
};

}  // namespace tflite_eq

#endif  // TFLITE_EQ_DELEGATE_BENCHMARK_DELEGATE_OBSERVATION_H_
