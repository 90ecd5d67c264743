/* Hashes: SipHash against the vectors that its authors published, the fast ones for what a table
 * needs of them: every bit of key and seed matters, and pieces do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "accel/hash.h"

/* SipHash-2-4 under the key 00 01 .. 0f, of the first 0, 1, .. 15 bytes 00 01 02 .. */
static const uint64_t vectors[16] = {
    0x726FDB47DD0E0E31u, 0x74F839C593DC67FDu, 0x0D6C8009D9A94F5Au, 0x85676696D7FB7E2Du,
    0xCF2794E0277187B7u, 0x18765564CD99A68Du, 0xCBC9466E58FEE3CEu, 0xAB0200F58B01D137u,
    0x93F5F5799A932462u, 0x9E0082DF0BA9E4B0u, 0x7A5DBBC594DDB9F3u, 0xF4B32F46226BADA7u,
    0x751E8FBC860EE5FBu, 0x14EA5627C0843D90u, 0xF723CA908E7AF2EEu, 0xA129CA6149BE45E5u,
};
static const uint64_t vector_secret[2] = {0x0706050403020100u, 0x0F0E0D0C0B0A0908u};

static void fill(unsigned char *data, size_t size)
{
  for (size_t i = 0; i < size; i++) data[i] = (unsigned char)i;
}

static uint64_t siphash(const void *data, size_t size)
{
  accel_siphash hash;
  accel_siphash_begin(&hash, vector_secret);
  accel_siphash_add(&hash, data, size);
  return accel_siphash_end(&hash);
}

static void siphash_gives_the_published_vectors(void **state)
{
  (void)state;
  unsigned char data[16];
  fill(data, sizeof data);
  for (size_t size = 0; size < 16; size++) assert_true(siphash(data, size) == vectors[size]);
}

static void siphash_of_pieces_is_that_of_the_whole(void **state)
{
  (void)state;
  unsigned char data[67];
  fill(data, sizeof data);
  const uint64_t whole = siphash(data, sizeof data);
  for (size_t first = 0; first <= sizeof data; first++) {
    for (size_t second = first; second <= sizeof data; second++) {
      accel_siphash hash;
      accel_siphash_begin(&hash, vector_secret);
      accel_siphash_add(&hash, data, first);
      accel_siphash_add(&hash, data + first, second - first);
      accel_siphash_add(&hash, data + second, sizeof data - second);
      assert_true(accel_siphash_end(&hash) == whole);
    }
  }
}

static void siphash_depends_on_its_secret(void **state)
{
  (void)state;
  for (unsigned bit = 0; bit < 128; bit++) {
    uint64_t secret[2] = {vector_secret[0], vector_secret[1]};
    secret[bit / 64] ^= (uint64_t)1 << bit % 64;
    accel_siphash hash;
    accel_siphash_begin(&hash, secret);
    assert_true(accel_siphash_end(&hash) != vectors[0]);
  }
}

static void bytes_hash_alike_wherever_they_lie(void **state)
{
  (void)state;
  unsigned char data[80];
  for (size_t size = 0; size <= 64; size++) {
    uint64_t first = 0;
    for (size_t offset = 0; offset < 8; offset++) {
      fill(data + offset, size);
      const uint64_t hash = accel_hash_bytes(data + offset, size, 42);
      if (offset == 0) first = hash;
      assert_true(hash == first);
    }
  }
}

static void every_bit_and_every_length_changes_the_hash(void **state)
{
  (void)state;
  unsigned char data[65];
  for (size_t size = 1; size <= 64; size++) {
    fill(data, sizeof data);
    const uint64_t hash = accel_hash_bytes(data, size, 42);
    for (size_t bit = 0; bit < 8 * size; bit++) {
      data[bit / 8] ^= (unsigned char)(1u << bit % 8);
      assert_true(accel_hash_bytes(data, size, 42) != hash);
      data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
  }
  unsigned char zeros[64] = {0};
  for (size_t size = 0; size < 64; size++)
    assert_true(accel_hash_bytes(zeros, size, 42) != accel_hash_bytes(zeros, size + 1, 42));
}

static void every_bit_of_the_seed_changes_the_hash(void **state)
{
  (void)state;
  const uint64_t seed = 0x1234;
  for (unsigned bit = 0; bit < 64; bit++) {
    const uint64_t other = seed ^ (uint64_t)1 << bit;
    for (size_t size = 0; size <= 64; size += 7) {
      unsigned char data[64];
      fill(data, sizeof data);
      assert_true(accel_hash_bytes(data, size, seed) != accel_hash_bytes(data, size, other));
    }
    assert_true(accel_hash_string(NULL, seed) != accel_hash_string(NULL, other));
  }
}

/* In the bits that a table uses: few in number, from both ends. */
static void bytes_spread_under_every_seed(void **state)
{
  (void)state;
  for (uint64_t seed = 0; seed < 64; seed++) {
    unsigned low[256] = {0}, high[256] = {0};
    for (uint64_t key = 0; key < 4096; key++) {
      const uint64_t hash = accel_hash_bytes(&key, sizeof key, seed * 0x9E3779B97F4A7C15u);
      low[hash & 255]++;
      high[hash >> 56]++;
    }
    for (size_t i = 0; i < 256; i++) {
      assert_in_range(low[i], 0, 64); /* 16 on average */
      assert_in_range(high[i], 0, 64);
    }
  }
}

/* In the bits that a table uses, and for keys that come one after the other. */
static void integers_spread_under_every_seed(void **state)
{
  (void)state;
  for (uint64_t seed = 0; seed < 1000; seed++) {
    unsigned low[256] = {0}, high[256] = {0};
    for (uint64_t key = 0; key < 4096; key++) {
      const uint64_t hash = accel_hash_integer(key, seed * 0x9E3779B97F4A7C15u);
      low[hash & 255]++;
      high[hash >> 56]++;
    }
    for (size_t i = 0; i < 256; i++) {
      assert_in_range(low[i], 0, 64); /* 16 on average */
      assert_in_range(high[i], 0, 64);
    }
  }
}

static void keys_that_meet_under_one_seed_part_under_another(void **state)
{
  (void)state;
  enum { KEYS = 2000 };
  unsigned met = 0, met_again = 0;
  for (uint64_t a = 0; a < KEYS; a++) {
    for (uint64_t b = a + 1; b < a + 50; b++) {
      if ((accel_hash_integer(a, 1) & 1023) != (accel_hash_integer(b, 1) & 1023)) continue;
      met++;
      if ((accel_hash_integer(a, 2) & 1023) == (accel_hash_integer(b, 2) & 1023)) met_again++;
    }
  }
  assert_true(met > 0);
  assert_true(met_again * 20 < met + 100);
}

static void a_string_hashes_as_its_bytes(void **state)
{
  (void)state;
  assert_true(accel_hash_string("", 7) == accel_hash_bytes("", 0, 7));
  assert_true(accel_hash_string("key", 7) == accel_hash_bytes("key", 3, 7));
  assert_true(accel_hash_string("key", 7) != accel_hash_string("kez", 7));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(siphash_gives_the_published_vectors),
      cmocka_unit_test(siphash_of_pieces_is_that_of_the_whole),
      cmocka_unit_test(siphash_depends_on_its_secret),
      cmocka_unit_test(bytes_hash_alike_wherever_they_lie),
      cmocka_unit_test(every_bit_and_every_length_changes_the_hash),
      cmocka_unit_test(every_bit_of_the_seed_changes_the_hash),
      cmocka_unit_test(integers_spread_under_every_seed),
      cmocka_unit_test(bytes_spread_under_every_seed),
      cmocka_unit_test(keys_that_meet_under_one_seed_part_under_another),
      cmocka_unit_test(a_string_hashes_as_its_bytes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
