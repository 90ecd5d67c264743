// oneTBB's concurrent_lru_cache, which it still calls a preview: every read loads what is absent,
// and there is nothing else: no set, no miss, no removal.
#define TBB_PREVIEW_CONCURRENT_LRU_CACHE 1
#include "subject.h"

#include <oneapi/tbb/concurrent_lru_cache.h>

namespace
{

thread_local size_t loads;

bench_value load(uint64_t key)
{
  loads++;
  return bench_make(key);
}

using lru = tbb::concurrent_lru_cache<uint64_t, bench_value, bench_value (*)(uint64_t)>;

void *lru_open(size_t capacity)
{
  return new (std::nothrow) lru(load, capacity);
}

void lru_close(void *state)
{
  delete static_cast<lru *>(state);
}

void read(void *state, uint64_t key)
{
  const lru::handle handle = (*static_cast<lru *>(state))[key];
  const bench_value value = const_cast<lru::handle &>(handle).value();
  bench_consume(&value);
}

size_t lru_get(void *state, const uint64_t *keys, size_t count)
{
  const size_t before = loads;
  for (size_t i = 0; i < count; i++) read(state, keys[i]);
  return count - (loads - before);
}

void lru_set(void *state, const uint64_t *keys, size_t count)
{
  lru_get(state, keys, count);
}

} // namespace

extern "C" const bench_subject bench_tbb = {
    "oneTBB LRU", BENCH_CACHE, false,   lru_open, lru_close, lru_get, lru_set,
    nullptr,      nullptr,     lru_get, nullptr,  true,      true,
};
