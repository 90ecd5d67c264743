/* base.h: compiler, hooks and configuration macros (layer 0).
 *
 * Everything a user may configure before including accel.h stands here, each macro with its
 * default. No other file tests for a compiler or defines a hook.
 *
 * Hooks. A program may define them before its first include of accel.h, alike in all its files:
 *
 *   ACCEL_MALLOC(size)            default malloc
 *   ACCEL_REALLOC(pointer, size)  default realloc
 *   ACCEL_FREE(pointer)           default free
 *   ACCEL_PAGES_ALLOC(size)       whole pages for the L1 table, zeroed; default: the system's pages
 *   ACCEL_PAGES_FREE(pages, size) default: gives them back to the system
 *   ACCEL_API                     default undefined; defined: the library's functions are exported
 *   ACCEL_USDT                    default undefined; defined: static probes (platform/probe.h)
 *   ACCEL_ASSERT(condition)       default assert; a failed one is a bug in accel or a misuse that
 *                                 no status can report
 *
 * Files of one program that were compiled with different hooks or versions do not link: every
 * cache refers to a symbol whose name carries both (ACCEL_BUILD_SYMBOL_).
 */
#ifndef ACCEL_BASE_H
#define ACCEL_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACCEL_VERSION "0.1.0"
#define ACCEL_VERSION_MAJOR 0
#define ACCEL_VERSION_MINOR 1
#define ACCEL_VERSION_PATCH 0

#if !defined(__GNUC__) && !defined(__clang__)
#error "accel needs gcc or clang"
#endif

/* Around what compilers may be asked to warn of, and that means nothing here: fields that stay
 * zero, names of fields before C++20, and the name of no function. */
#ifdef __clang__
#define ACCEL_QUIET_MORE_ \
  _Pragma("clang diagnostic ignored \"-Wpredefined-identifier-outside-function\"")
#elif defined(__cplusplus) && __GNUC__ >= 12
#define ACCEL_QUIET_MORE_ _Pragma("GCC diagnostic ignored \"-Wc++20-extensions\"")
#else
#define ACCEL_QUIET_MORE_
#endif
#define ACCEL_QUIET_BEGIN_ \
  _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wpedantic\"") \
      _Pragma("GCC diagnostic ignored \"-Wmissing-field-initializers\"") ACCEL_QUIET_MORE_
#define ACCEL_QUIET_END_ _Pragma("GCC diagnostic pop")

/* Two shared objects of one program may each have an accel of their own, with other hooks or of
 * another version: what one exports would take the place of the other's. ACCEL_API, defined before
 * the first include in all files, exports it. */
#ifdef ACCEL_API
#define ACCEL_VISIBILITY_BEGIN_ _Pragma("GCC visibility push(default)")
#else
#define ACCEL_VISIBILITY_BEGIN_ _Pragma("GCC visibility push(hidden)")
#endif
#define ACCEL_VISIBILITY_END_ _Pragma("GCC visibility pop")

/* EXTERN_C: around the library's declarations; USERS: around those of a user's cache. */
/* clang-format off */
#ifdef __cplusplus
#define ACCEL_EXTERN_C_BEGIN ACCEL_VISIBILITY_BEGIN_ ACCEL_QUIET_BEGIN_ extern "C" {
#define ACCEL_EXTERN_C_END } ACCEL_QUIET_END_ ACCEL_VISIBILITY_END_
#define ACCEL_USERS_BEGIN_ extern "C" {
#define ACCEL_USERS_END_ }
#define ACCEL_STATIC_ASSERT static_assert
#define ACCEL_THREAD_LOCAL __thread /* C++'s own may run a constructor check at every use */
#else
#define ACCEL_EXTERN_C_BEGIN ACCEL_VISIBILITY_BEGIN_
#define ACCEL_EXTERN_C_END ACCEL_VISIBILITY_END_
#define ACCEL_USERS_BEGIN_
#define ACCEL_USERS_END_
#define ACCEL_STATIC_ASSERT _Static_assert
#define ACCEL_THREAD_LOCAL _Thread_local
#endif
/* clang-format on */

/* A sanitizer sees every access but those of assembly. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ACCEL_IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define ACCEL_IS_SANITIZED 1
#endif
#endif
#ifndef ACCEL_IS_SANITIZED
#define ACCEL_IS_SANITIZED 0
#endif

#define ACCEL_UNUSED __attribute__((unused))
/* For a function whose result is not to be overlooked; it stands before everything else. */
#if defined(__cplusplus) && __cplusplus >= 201703L
#define ACCEL_NODISCARD [[nodiscard]]
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 202000L
#define ACCEL_NODISCARD [[nodiscard]]
#else
#define ACCEL_NODISCARD __attribute__((warn_unused_result))
#endif
#define ACCEL_INLINE static inline __attribute__((always_inline, unused))
/* What is also called through a pointer: gcc -Og refuses to compile an always_inline function that
 * it finds a call to only late. */
#define ACCEL_SMALL static inline __attribute__((unused))
#define ACCEL_COLD __attribute__((noinline, cold))
#define ACCEL_NOINLINE __attribute__((noinline))
/* For a function that a hit calls now and then. If it were ACCEL_COLD, gcc would take a whole loop
 * of hits for cold code. */
#define ACCEL_RARE __attribute__((noinline))
#define ACCEL_FLATTEN __attribute__((flatten)) /* all that it calls is inlined, but cold code */
/* The compiler forgets what it knows of a variable, and works out nothing from it before. */
#define ACCEL_FORGET_(variable_) __asm__("" : "+r"(variable_))
/* An address that clang would otherwise put together anew for each use; gcc knows better. */
#ifdef __clang__
#define ACCEL_IN_REGISTER_(variable_) ACCEL_FORGET_(variable_)
#else
#define ACCEL_IN_REGISTER_(variable_) ((void)0)
#endif
#define ACCEL_PRINTF(format_, first_) __attribute__((format(printf, format_, first_)))
#define ACCEL_LIKELY(condition_) __builtin_expect(!!(condition_), 1)
#define ACCEL_UNLIKELY(condition_) __builtin_expect(!!(condition_), 0)

#define ACCEL_PASTE_(a_, b_) a_##b_
#define ACCEL_PASTE(a_, b_) ACCEL_PASTE_(a_, b_)

#define ACCEL_BARE_(...) __VA_ARGS__

/* (a, b) and c, d make (a, b, c, d); () and c, d make (c, d), whatever stands for "none" in the
 * parameters. The arguments are empty if and only if they hold no comma, do not complete a call of
 * the probe by themselves, and do so with () behind them. */
#define ACCEL_AND_(test_, list_, ...) \
  ACCEL_PASTE(ACCEL_AND_IF_, ACCEL_IS_EMPTY_ test_)(list_, __VA_ARGS__)
#define ACCEL_AND_IF_0(list_, ...) (ACCEL_BARE_ list_, __VA_ARGS__)
#define ACCEL_AND_IF_1(list_, ...) (__VA_ARGS__)
#define ACCEL_TENTH_(a_, b_, c_, d_, e_, f_, g_, h_, i_, j_, ...) j_
#define ACCEL_HAS_COMMA_(...) ACCEL_TENTH_(__VA_ARGS__, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0)
#define ACCEL_PROBE_(...) ,
#define ACCEL_IS_EMPTY_(...) \
  ACCEL_EMPTY_OF_(ACCEL_HAS_COMMA_(__VA_ARGS__), ACCEL_HAS_COMMA_(ACCEL_PROBE_ __VA_ARGS__), \
                  ACCEL_HAS_COMMA_(ACCEL_PROBE_ __VA_ARGS__()))
#define ACCEL_EMPTY_OF_(a_, b_, c_) ACCEL_EMPTY_CASE_(a_, b_, c_)
#define ACCEL_EMPTY_CASE_(a_, b_, c_) ACCEL_HAS_COMMA_(ACCEL_EMPTY_##a_##b_##c_)
#define ACCEL_EMPTY_001 ,

/* The build symbol's name: a hook that is a plain name appears by that name, one that is a
 * function-like macro by its own, so both differ from the default. */
#ifndef ACCEL_MALLOC
#define ACCEL_MALLOC malloc
#endif
#ifndef ACCEL_REALLOC
#define ACCEL_REALLOC realloc
#endif
#ifndef ACCEL_FREE
#define ACCEL_FREE free
#endif
#ifndef ACCEL_PAGES_ALLOC
#define ACCEL_PAGES_ALLOC accel_pages_alloc
#endif
#ifndef ACCEL_PAGES_FREE
#define ACCEL_PAGES_FREE accel_pages_free
#endif
#ifdef ACCEL_ASSERT
#define ACCEL_ASSERT_HOOK_ custom
#else
#define ACCEL_ASSERT_HOOK_ assert
#define ACCEL_ASSERT assert
#endif

#define ACCEL_BUILD_NAME_(why_, malloc_, realloc_, free_, map_, unmap_, assert_) \
  accel_build_0_1_0_##why_##_##malloc_##_##realloc_##_##free_##_##map_##_##unmap_##_##assert_
#define ACCEL_BUILD_EXPAND_(...) ACCEL_BUILD_NAME_(__VA_ARGS__)
/* The linker quotes it to whoever forgot the implementation, or defined other hooks. */
#define ACCEL_BUILD_SYMBOL_ \
  ACCEL_BUILD_EXPAND_(is_missing_define_ACCEL_IMPLEMENTATION_in_one_file_with_hooks, ACCEL_MALLOC, \
                      ACCEL_REALLOC, ACCEL_FREE, ACCEL_PAGES_ALLOC, ACCEL_PAGES_FREE, \
                      ACCEL_ASSERT_HOOK_)

/* A size of cache line that no supported processor exceeds in its coherence traffic. */
#define ACCEL_CACHE_LINE 64

/* Any function pointer, to be cast back to its own type before it is called. */
typedef void accel_fn(void);

/* No time limit, where one is allowed; in a TTL: no expiry. */
#define ACCEL_FOREVER UINT32_MAX

ACCEL_EXTERN_C_BEGIN
extern const char ACCEL_BUILD_SYMBOL_;
ACCEL_EXTERN_C_END

#endif
