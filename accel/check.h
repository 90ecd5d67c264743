/* check.h: what is refused at compile time, with a sentence that says what to write (layer 2).
 *
 * ACCEL_DEFINE and the wrappers ask here. C cannot say which fields an initialiser names, and C++
 * only with types that C has not; so whether a trait or an option was given is read in the text of
 * the arguments, alike in both. A list made by a macro of the user's is expanded before that.
 */
#ifndef ACCEL_CHECK_H
#define ACCEL_CHECK_H

#include "type.h"

/* clang-format off */

/* ---- which traits and options were given ---- */

/* Whether one of the arguments begins with this text. The first 32 are looked at: a list of all
 * options has 10, and a comma within braces begins a further argument. */
#define ACCEL_BEGINS_(name_, argument_) \
  (__builtin_strncmp(#argument_, name_, sizeof(name_) - 1) == 0)
#define ACCEL_GIVEN_8_(name_, a_, b_, c_, d_, e_, f_, g_, h_, ...) \
  (ACCEL_BEGINS_(name_, a_) || ACCEL_BEGINS_(name_, b_) || ACCEL_BEGINS_(name_, c_) || \
   ACCEL_BEGINS_(name_, d_) || ACCEL_BEGINS_(name_, e_) || ACCEL_BEGINS_(name_, f_) || \
   ACCEL_BEGINS_(name_, g_) || ACCEL_BEGINS_(name_, h_))
#define ACCEL_GIVEN_16_(name_, a_, b_, c_, d_, e_, f_, g_, h_, ...) \
  (ACCEL_GIVEN_8_(name_, a_, b_, c_, d_, e_, f_, g_, h_, ) || \
   ACCEL_GIVEN_8_(name_, __VA_ARGS__))
#define ACCEL_GIVEN_24_(name_, a_, b_, c_, d_, e_, f_, g_, h_, ...) \
  (ACCEL_GIVEN_8_(name_, a_, b_, c_, d_, e_, f_, g_, h_, ) || \
   ACCEL_GIVEN_16_(name_, __VA_ARGS__))
#define ACCEL_GIVEN_32_(name_, a_, b_, c_, d_, e_, f_, g_, h_, ...) \
  (ACCEL_GIVEN_8_(name_, a_, b_, c_, d_, e_, f_, g_, h_, ) || \
   ACCEL_GIVEN_24_(name_, __VA_ARGS__))
#define ACCEL_GIVEN_(name_, ...) \
  ACCEL_GIVEN_32_(name_, __VA_ARGS__, , , , , , , , , , , , , , , , , , , , , , , , , , , , , , , \
                  , , )

/* ---- wrappers: options without which nothing would be cached, or something else ---- */

/* The constants keep the text that compilers quote short. */
#define ACCEL_NEEDS_(function_, is_given_, option_, example_) \
  ACCEL_STATIC_ASSERT(is_given_, \
                      #function_ ": the option " option_ " is missing; write " example_);
#define ACCEL_NEEDS_CACHE_(function_, ...) \
  ACCEL_QUIET_BEGIN_ /* until ACCEL_OPTIONS_ */ \
  enum { accel_has_cache_ = ACCEL_GIVEN_(".cache", __VA_ARGS__) }; \
  ACCEL_NEEDS_(function_, accel_has_cache_, ".cache", ".cache = the address of the open cache")
#define ACCEL_NEEDS_READ_(function_, ...) \
  enum { \
    accel_has_key_ = ACCEL_GIVEN_(".key", __VA_ARGS__), \
    accel_has_out_ = ACCEL_GIVEN_(".out", __VA_ARGS__) \
  }; \
  ACCEL_NEEDS_CACHE_(function_, __VA_ARGS__) \
  ACCEL_NEEDS_(function_, accel_has_key_, ".key", ".key = the key to read") \
  ACCEL_NEEDS_(function_, accel_has_out_, ".out", ".out = the parameter that the body fills")
#define ACCEL_NEEDS_PUT_(function_, ...) \
  enum { \
    accel_has_key_ = ACCEL_GIVEN_(".key", __VA_ARGS__), \
    accel_has_value_ = ACCEL_GIVEN_(".value", __VA_ARGS__) \
  }; \
  ACCEL_NEEDS_CACHE_(function_, __VA_ARGS__) \
  ACCEL_NEEDS_(function_, accel_has_key_, ".key", ".key = the key saved") \
  ACCEL_NEEDS_(function_, accel_has_value_, ".value", ".value = the address of the value saved")
#define ACCEL_NEEDS_EVICT_(function_, ...) \
  enum { \
    accel_has_key_ = ACCEL_GIVEN_(".key", __VA_ARGS__) || ACCEL_GIVEN_(".all", __VA_ARGS__) \
  }; \
  ACCEL_NEEDS_CACHE_(function_, __VA_ARGS__) \
  ACCEL_NEEDS_(function_, accel_has_key_, ".key", \
               ".key = the key to remove, or .all = true for the whole area")

/* ---- what kind of key or value a type is ---- */

#ifdef __cplusplus
template <typename T> struct accel_kind_of_ {
  static constexpr int value = __is_enum(T) ? 1 : 0;
};
template <typename T> struct accel_shape_of_ {
  static constexpr int is_array = 0, is_pointer = 0;
};
template <typename T, size_t N> struct accel_shape_of_<T[N]> {
  static constexpr int is_array = 1, is_pointer = 0;
};
template <typename T> struct accel_shape_of_<T *> {
  static constexpr int is_array = 0, is_pointer = 1;
};
template <typename T> struct accel_shape_of_<T *const> : accel_shape_of_<T *> {};
template <typename T> struct accel_const_of_ {
  static constexpr int value = 0;
};
template <typename T> struct accel_const_of_<const T> {
  static constexpr int value = 1;
};
#define ACCEL_KIND_OF_CPP_(T_, kind_) \
  template <> struct accel_kind_of_<T_> { \
    static constexpr int value = kind_; \
  };
#define ACCEL_KIND_ENTRY_(T_, kind_) ACCEL_KIND_OF_CPP_(T_, kind_)
#else
#define ACCEL_KIND_ENTRY_(T_, kind_) T_ : kind_,
#endif

/* The numbers of accel_key_kind, and two that are refused. */
#define ACCEL_KIND_FLOATING_ 4
#define ACCEL_KIND_TEXT_ 5

/* Every type that is not a struct for accel; enums are what their compiler says. */
#define ACCEL_KIND_LIST_(X) \
  X(bool, 1) X(char, ((char)-1 < 0 ? 2 : 1)) X(signed char, 2) X(unsigned char, 1) \
  X(short, 2) X(unsigned short, 1) X(int, 2) X(unsigned int, 1) \
  X(long, 2) X(unsigned long, 1) X(long long, 2) X(unsigned long long, 1) \
  X(float, 4) X(double, 4) X(long double, 4) X(char *, 5) X(const char *, 5)

#ifdef __cplusplus
ACCEL_KIND_LIST_(ACCEL_KIND_ENTRY_)
#define ACCEL_KIND_OF_(T_) (accel_kind_of_<T_>::value)
#define ACCEL_IS_ARRAY_(T_) (accel_shape_of_<T_>::is_array)
#define ACCEL_IS_POINTER_(T_) (accel_shape_of_<T_>::is_pointer)
#define ACCEL_IS_BYTES_(T_) (__is_trivially_copyable(T_))
#define ACCEL_IS_CONST_(T_) (accel_const_of_<T_>::value)
#else
#define ACCEL_KIND_OF_(T_) _Generic(*(T_ *)0, ACCEL_KIND_LIST_(ACCEL_KIND_ENTRY_) default : 0)
/* An array is not what it becomes when it is used. */
#define ACCEL_IS_ARRAY_(T_) (!__builtin_types_compatible_p(T_, __typeof__(((void)0, *(T_ *)0))))
/* 5 is the class of pointers; an array would become one. */
#define ACCEL_IS_POINTER_(T_) (!ACCEL_IS_ARRAY_(T_) && __builtin_classify_type(*(T_ *)0) == 5)
#define ACCEL_IS_BYTES_(T_) 1
#define ACCEL_IS_CONST_(T_) (__builtin_types_compatible_p(T_ *, const T_ *))
#endif

#define ACCEL_KIND_(n_) ((accel_key_kind)ACCEL_KIND_OF_(n_##_cache_key))

/* What is refused at compile time, with a sentence that says what to do. Whether .hash and .equal
 * are given shows in the text of the first traits. */
#define ACCEL_SECOND_(first_, second_, ...) #second_
#define ACCEL_HAS_HASH_AND_EQUAL_(first_, ...) \
  (__builtin_strncmp(#first_, ".hash", 5) == 0 && \
   __builtin_strncmp(ACCEL_SECOND_(first_, __VA_ARGS__, , ), ".equal", 6) == 0)

/* Comes first, so that the first of many errors is the one that helps. */
#define ACCEL_FUNCTION_NAME_SIZE_ (__extension__ sizeof(__PRETTY_FUNCTION__))
#define ACCEL_CHECK_PLACE_(n_) \
  ACCEL_QUIET_BEGIN_ \
  ACCEL_STATIC_ASSERT(ACCEL_FUNCTION_NAME_SIZE_ == 1 || \
                          ACCEL_FUNCTION_NAME_SIZE_ == sizeof("top level"), \
                      "ACCEL_DEFINE(" #n_ "): stands in a function; move it out of there"); \
  ACCEL_QUIET_END_ \
  enum { n_##_cache_is_defined_twice_choose_another_name_ };
#define ACCEL_CHECK_(n_, holds_, text_) \
  ACCEL_STATIC_ASSERT(holds_, "ACCEL_DEFINE(" #n_ "): " text_);
#define ACCEL_CHECK_TYPES_(n_, K_, V_) \
  ACCEL_CHECK_(n_, !ACCEL_IS_CONST_(K_), "the key type is const; write it without const") \
  ACCEL_CHECK_(n_, !ACCEL_IS_CONST_(V_), "the value type is const; write it without const") \
  ACCEL_CHECK_(n_, !ACCEL_IS_ARRAY_(K_), "the key is an array; put it into a struct") \
  ACCEL_CHECK_(n_, !ACCEL_IS_ARRAY_(V_), "the value is an array; put it into a struct") \
  ACCEL_CHECK_(n_, __alignof__(K_) <= ACCEL_ALIGN_MAX, \
               "the key is aligned to more than 64 bytes; align it to 64 at most") \
  ACCEL_CHECK_(n_, __alignof__(V_) <= ACCEL_ALIGN_MAX, \
               "the value is aligned to more than 64 bytes; align it to 64 at most") \
  ACCEL_CHECK_(n_, ACCEL_KIND_OF_(K_) != ACCEL_KIND_FLOATING_, \
               "the key is a floating number, which has no reliable equality; use an integer") \
  ACCEL_CHECK_(n_, !ACCEL_IS_POINTER_(K_) || ACCEL_KIND_OF_(K_) == ACCEL_KIND_TEXT_, \
               "the key is a pointer, and only the address would be compared; use the number or " \
               "struct it points to") \
  ACCEL_CHECK_(n_, ACCEL_IS_BYTES_(K_), \
               "the key is not trivially copyable; use a plain struct, or ACCEL_DEFINE_STR")
/* Values are copied as bytes unless the user says how. */
#define ACCEL_CHECK_VALUE_(n_, V_, ...) \
  enum { \
    n_##_cache_has_copy_ = ACCEL_GIVEN_(".copy", __VA_ARGS__), \
    n_##_cache_has_codec_ = ACCEL_GIVEN_(".codec", __VA_ARGS__) \
  }; \
  ACCEL_CHECK_(n_, !ACCEL_IS_POINTER_(V_) || n_##_cache_has_copy_ || n_##_cache_has_codec_, \
               "the value is a pointer, and only the address would be kept; use the struct it " \
               "points to, or give .copy and .drop, and .codec where there is .remote") \
  ACCEL_CHECK_(n_, ACCEL_IS_BYTES_(V_) || n_##_cache_has_copy_, \
               "the value is not trivially copyable, and its bytes would be copied; use a plain " \
               "struct, or give .copy and .drop")
#define ACCEL_CHECK_INTEGER_(n_, K_) \
  ACCEL_CHECK_(n_, ACCEL_KIND_OF_(K_) != ACCEL_KIND_TEXT_, \
               "the key is a string; use ACCEL_DEFINE_STR, which copies it in") \
  ACCEL_CHECK_(n_, ACCEL_KIND_OF_(K_) != 0, "use ACCEL_DEFINE_WITH and give .hash and .equal")
#define ACCEL_CHECK_STRUCT_(n_, K_, ...) \
  ACCEL_CHECK_(n_, ACCEL_KIND_OF_(K_) != ACCEL_KIND_TEXT_, \
               "the key is a string; use ACCEL_DEFINE_STR, which copies it in") \
  ACCEL_CHECK_(n_, ACCEL_KIND_OF_(K_) != 0 || ACCEL_HAS_HASH_AND_EQUAL_(__VA_ARGS__, ), \
               "a struct key needs .hash, given first, and .equal")
/* The body of a function that zeroes a value's padding, where there is a compiler that can. The
 * value may lie at any address. */
#if defined(__has_builtin)
#if __has_builtin(__builtin_clear_padding)
#define ACCEL_HAS_CLEAR_PADDING_ 1
#endif
#endif
#ifndef ACCEL_HAS_CLEAR_PADDING_
#define ACCEL_CLEAR_PADDING_(V_, value_) (void)value_
#elif defined(__cplusplus)
template <typename T, bool is_bytes = __is_trivially_copyable(T)> struct accel_padding_ {
  static void clear(void *) {}
};
template <typename T> struct accel_padding_<T, true> {
  typedef T value_t __attribute__((aligned(1)));
  static void clear(void *value_) { __builtin_clear_padding(static_cast<value_t *>(value_)); }
};
#define ACCEL_CLEAR_PADDING_(V_, value_) accel_padding_<V_>::clear(value_)
#else
#define ACCEL_CLEAR_PADDING_(V_, value_) \
  typedef V_ unaligned_ __attribute__((aligned(1))); \
  __builtin_clear_padding((unaligned_ *)value_)
#endif

/* clang-format on */

#endif
