// Data caches of a core, simulated: which level has a line, and whether a prefetcher would have brought it.
//
// Levels are set-associative, replace the least recently used line, and all get a line that any of them missed; lines are 64
// bytes, as on all cores this is for. A prefetcher looks at what the first level misses: it knows a few streams, each of which
// expects the lines next to the one it saw last. One instance serves one thread.
#ifndef TFLITE_EQ_TOOLS_ARM64_CACHE_MODEL_H_
#define TFLITE_EQ_TOOLS_ARM64_CACHE_MODEL_H_

#include <stddef.h>
#include <stdint.h>

enum { kLineBits = 6, kMaxCacheLevels = 3, kStreams = 16 };

struct CacheLevel {
  uint64_t sets;   // a power of two
  uint64_t ways;
  uint64_t *tags;  // [sets][ways], the most recently used line first; 0 is no line
};

// A run of lines, upwards (1) or downwards (-1); 0: one line only, so far.
struct Stream {
  uint64_t last;
  int step;
  uint64_t used;  // when
};

struct CacheModel {
  size_t count;
  struct CacheLevel levels[kMaxCacheLevels];
  struct Stream streams[kStreams];
  uint64_t now;
  uint64_t recent;  // the line touched last: by far the most accesses are to that one again
};

struct CacheTouch {
  int level;     // where the line was: 0 is the first level, `count` is memory
  int streamed;  // whether a stream expected it; 0 for the first level
};

// Adds a level behind those there are. Returns 0, or -1 when there are too many, the geometry is not one, or memory is out.
int CacheModelAddLevel(struct CacheModel *model, uint64_t bytes, uint64_t ways);

// Accesses a line (the address shifted by kLineBits).
struct CacheTouch CacheModelTouch(struct CacheModel *model, uint64_t line);

#endif  // TFLITE_EQ_TOOLS_ARM64_CACHE_MODEL_H_
