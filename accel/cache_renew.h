/* cache_renew.h: leases are renewed while their loads run (layer 4, private). Only for .c files. */
#ifndef ACCEL_CACHE_RENEW_H
#define ACCEL_CACHE_RENEW_H

#include "cache_core.h"

ACCEL_EXTERN_C_BEGIN

/* Where there are leases. False: no memory. */
bool accel_core_renew_open(accel_core *core);
/* Before detach. */
void accel_core_renew_close(accel_core *core);
/* From now on the leases that these flights hold are renewed, and no longer. */
void accel_core_start_renewals(accel_core *core, accel_flight **flights, size_t count);
void accel_core_stop_renewal(accel_core *core, accel_flight *flight);

ACCEL_EXTERN_C_END
#endif
