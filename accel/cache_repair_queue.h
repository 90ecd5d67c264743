/* cache_repair_queue.h: what L2 did not confirm, noted for repair (layer 4, private). Only for
 * .c files.
 */
#ifndef ACCEL_CACHE_REPAIR_QUEUE_H
#define ACCEL_CACHE_REPAIR_QUEUE_H

#include "cache_batch.h"

ACCEL_EXTERN_C_BEGIN

#define REPAIR_PAUSE_FIRST_MS 50u /* until a server is asked after a failure */

/* Notes the items of a write that failed, or a clear that did; begin is called once all levels
 * were handled. */
void accel_core_repair_add(accel_core *core, const core_batch *batch);
void accel_core_repair_add_area(accel_core *core);
/* Notes a key that no call to L2 could be made for, for lack of memory: takes none. */
void accel_core_repair_note(accel_core *core, const void *key);
/* Notes the key of this name once more: a write of it that was given up came late. */
void accel_core_repair_add_name(accel_core *core, const char *name, size_t size);
/* Starts the repair of what is noted, if anything is. */
void accel_core_repair_begin(accel_core *core);
/* The same without the pause that lets a server recover: it has just done a late write. */
void accel_core_repair_hurry(accel_core *core);
/* Whether the item's key waits for a repair, so that L2 must not be asked for it. */
bool accel_core_repair_holds(accel_core *core, const accel_remote_item *item);
/* Submits the repair again; is_repairing is set. */
void accel_core_repair_schedule(accel_core *core, uint32_t pause_ms);

ACCEL_EXTERN_C_END
#endif
