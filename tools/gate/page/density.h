/* Densities of results, for drawing. Inputs are finite and not changed. */
#ifndef ACCEL_GATE_DENSITY_H
#define ACCEL_GATE_DENSITY_H

#include "statistics.h"

/* A Gaussian kernel's density at `points` places, 2 or more, between the ends of `range`. The
 * bandwidth is Silverman's. A list without spread gets a narrow peak. */
gate_numbers gate_kernel_density(const double *values, size_t count, gate_interval range,
                                 size_t points);
double gate_bandwidth(const double *values, size_t count);

#endif
