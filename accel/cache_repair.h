/* cache_repair.h: the job that repairs what L2 did not confirm (layer 4, private). Only for .c
 * files.
 */
#ifndef ACCEL_CACHE_REPAIR_H
#define ACCEL_CACHE_REPAIR_H

#include "cache_core.h"

ACCEL_EXTERN_C_BEGIN

/* Where there is an L2. False: no memory. Close releases what open had, in a child memory alone. */
bool accel_core_repair_open(accel_core *core);
void accel_core_repair_close(accel_core *core, bool is_child);

ACCEL_EXTERN_C_END
#endif
