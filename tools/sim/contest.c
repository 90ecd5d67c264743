#include "contest.h"

#include "engine.h"
#include "reference.h"

const sim_contender sim_contenders[] = {
    {"lru", "LRU", false, sim_lru},
    {"s3fifo", "S3-FIFO", false, sim_s3fifo},
    {"tinylfu_1", "W-TinyLFU 1 %", false, sim_tinylfu_1},
    {"tinylfu_20", "W-TinyLFU 20 %", false, sim_tinylfu_20},
    {"optimum", "optimum", false, sim_optimum},
    {"accel_clock", "accel clock", true, sim_engine_clock},
    {"accel_lru", "accel lru", true, sim_engine_lru},
    {"accel_s3fifo", "accel s3fifo", true, sim_engine_s3fifo},
    {"accel_tinylfu", "accel tinylfu", true, sim_engine_tinylfu},
    {"accel_adaptive", "accel adaptive", true, sim_engine_adaptive},
};

const unsigned sim_contender_count = sizeof sim_contenders / sizeof *sim_contenders;

bool sim_contest_run(sim_contest *contest, const sim_trace *trace, FILE *progress, sim_error *error)
{
  contest->length = trace->length;
  contest->distinct = trace->distinct;
  for (unsigned i = 0; i < contest->capacity_count; i++) {
    const uint32_t capacity = contest->capacities[i];
    for (unsigned j = 0; j < contest->contender_count; j++) {
      const sim_contender *contender = contest->contenders[j];
      if (progress != NULL)
        fprintf(progress, "\r\033[Kcapacity %u (%u of %u): %s", capacity, i + 1,
                contest->capacity_count, contender->title);
      if (!contender->run(trace, capacity, &contest->hits[i][j]))
        return sim_fail(error, "no memory for %s with a capacity of %u", contender->title,
                        capacity);
    }
  }
  if (progress != NULL) fputs("\r\033[K", progress);
  return true;
}

double sim_contest_ratio(const sim_contest *contest, unsigned capacity, unsigned contender)
{
  return 100.0 * (double)contest->hits[capacity][contender] / (double)contest->length;
}
