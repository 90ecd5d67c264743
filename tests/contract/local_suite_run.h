/* local_suite_run.h: the list of the L1 suite's tests. */
#ifndef LOCAL_SUITE_RUN_H
#define LOCAL_SUITE_RUN_H

#include "local_suite_entries.h"
#include "local_suite_lives.h"
#include "local_suite_table.h"
#include "local_suite_threads.h"
#include "local_suite_walks.h"

static const struct CMUnitTest local_suite_tests[] = {
    cmocka_unit_test(a_get_returns_what_was_set),
    cmocka_unit_test(a_miss_and_a_negative_entry_leave_out_alone),
    cmocka_unit_test(many_keys_do_not_mix),
    cmocka_unit_test(struct_keys_survive_a_poor_hash),
    cmocka_unit_test(string_keys_are_copied_whatever_their_length),
    cmocka_unit_test(large_and_aligned_values_arrive_whole),
    cmocka_unit_test(values_of_every_size_arrive_whole),
    cmocka_unit_test(an_entry_is_served_until_it_expires_and_peeked_after),
    cmocka_unit_test(an_entry_past_its_refresh_needs_attention),
    cmocka_unit_test(what_never_expires_never_asks_the_clock),
    cmocka_unit_test(long_lives_and_late_clocks_are_exact),
    cmocka_unit_test(lives_come_back_as_they_went_in),
    cmocka_unit_test(an_entry_that_arrives_expired_is_only_stale),
    cmocka_unit_test(expire_all_makes_everything_a_stale_candidate),
    cmocka_unit_test(clear_leaves_no_stale_candidate),
    cmocka_unit_test(what_a_clear_removed_is_dropped_in_the_end),
    cmocka_unit_test(a_fill_is_refused_once_its_gate_has_moved),
    cmocka_unit_test(a_set_whose_gate_moved_removes_the_key),
    cmocka_unit_test(every_write_but_a_fill_raises_the_generation),
    cmocka_unit_test(del_is_idempotent_and_touches_one_key),
    cmocka_unit_test(owned_values_are_copied_in_and_out_and_dropped_once),
    cmocka_unit_test(a_failing_copy_is_a_status),
    cmocka_unit_test(users_code_runs_without_locks),
    cmocka_unit_test(a_drop_may_write),
    cmocka_unit_test(the_capacity_is_never_exceeded),
    cmocka_unit_test(nearly_all_of_as_many_keys_as_the_capacity_stay),
    cmocka_unit_test(a_set_of_a_present_key_evicts_nobody),
    cmocka_unit_test(negative_and_stale_entries_count),
    cmocka_unit_test(used_entries_outlive_unused_ones),
    cmocka_unit_test(stale_entries_go_first),
    cmocka_unit_test(weights_are_bounded),
    cmocka_unit_test(writes_and_victims_are_counted),
    cmocka_unit_test(expired_victims_are_counted_apart),
    cmocka_unit_test(counts_outlive_a_resize),
    cmocka_unit_test(weight_nothing_is_free_and_the_heaviest_fits_alone),
    cmocka_unit_test(a_pinned_value_outlives_everything_but_its_unpin),
    cmocka_unit_test(an_owning_value_is_dropped_after_its_last_unpin),
    cmocka_unit_test(pin_answers_like_get),
    cmocka_unit_test(a_table_of_pinned_entries_refuses_more),
    cmocka_unit_test(resize_keeps_what_fits),
    cmocka_unit_test(resize_keeps_the_used_ones),
    cmocka_unit_test(a_pinned_plain_entry_stays_findable_through_a_resize),
    cmocka_unit_test(each_visits_fresh_values_once),
    cmocka_unit_test(each_meets_no_key_twice_while_entries_move),
    cmocka_unit_test(each_may_remove_what_it_visits),
    cmocka_unit_test(hottest_names_the_used_ones_first),
    cmocka_unit_test(hottest_strings_lie_in_the_scratch),
    cmocka_unit_test(no_read_is_torn),
    cmocka_unit_test(a_key_that_is_replaced_is_not_missed),
    cmocka_unit_test(a_key_of_two_full_sets_is_not_missed),
    cmocka_unit_test(sets_wait_for_slow_drops),
    cmocka_unit_test(owned_values_survive_threads),
    cmocka_unit_test(readers_go_on_while_the_table_is_resized),
    cmocka_unit_test(no_fill_outlives_a_later_delete),
#ifdef FAILING_ALLOC_H
    cmocka_unit_test(a_failed_open_holds_nothing),
    cmocka_unit_test(every_allocation_may_fail),
    cmocka_unit_test(the_memory_is_told),
#endif
};

static int local_suite_run(const accel_local_ops *ops)
{
  suite_ops = ops;
  return cmocka_run_group_tests_name(ops->name, local_suite_tests, NULL, NULL);
}

#endif
