#include "cache_model.h"

#include <stdlib.h>
#include <string.h>

// A stream goes on when it meets a line this near: those between were still in the first level.
enum { kReach = 4 };

int CacheModelAddLevel(struct CacheModel *model, uint64_t bytes, uint64_t ways) {
  const uint64_t lines = bytes >> kLineBits;
  if (model->count == kMaxCacheLevels || ways == 0 || lines % ways != 0) return -1;
  const uint64_t sets = lines / ways;
  if (sets == 0 || (sets & (sets - 1)) != 0) return -1;
  uint64_t *tags = calloc(lines, sizeof(uint64_t));
  if (tags == NULL) return -1;
  model->levels[model->count++] = (struct CacheLevel){sets, ways, tags};
  return 0;
}

// Makes a line the most recently used of its set; whether it was there.
static int Use(struct CacheLevel *level, uint64_t line) {
  uint64_t *set = level->tags + (line & (level->sets - 1)) * level->ways;
  const uint64_t tag = line + 1;
  size_t place = 0;
  while (place < level->ways - 1 && set[place] != tag) ++place;
  const int found = set[place] == tag;
  memmove(set + 1, set, place * sizeof(uint64_t));
  set[0] = tag;
  return found;
}

// Whether a stream expected a line; it, or else the one unused for longest, follows the line.
static int Follow(struct CacheModel *model, uint64_t line) {
  struct Stream *oldest = model->streams;
  ++model->now;
  for (struct Stream *stream = model->streams; stream != model->streams + kStreams; ++stream) {
    const int64_t distance = (int64_t)(line - stream->last);
    const int step = distance > 0 ? 1 : -1;
    if (stream->used != 0 && distance != 0 && distance * step <= kReach && (stream->step == 0 || stream->step == step)) {
      const int expected = stream->step == step;
      *stream = (struct Stream){line, step, model->now};
      return expected;
    }
    if (stream->used < oldest->used) oldest = stream;
  }
  *oldest = (struct Stream){line, 0, model->now};
  return 0;
}

struct CacheTouch CacheModelTouch(struct CacheModel *model, uint64_t line) {
  struct CacheTouch touch = {0, 0};
  if (line + 1 == model->recent) return touch;
  model->recent = line + 1;
  int level = 0;
  while (level < (int)model->count && !Use(&model->levels[level], line)) ++level;
  touch.level = level;
  if (level > 0) touch.streamed = Follow(model, line);
  return touch;
}
