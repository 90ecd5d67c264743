#include "density.h"

#include <math.h>

double gate_bandwidth(const double *values, size_t count)
{
  const double deviation = gate_deviation(values, count);
  if (!(deviation > 0)) return fmax(fabs(count > 0 ? values[0] : 0) * 1e-3, 1e-12);
  return deviation * pow(4.0 / (3.0 * (double)count), 0.2);
}

gate_numbers gate_kernel_density(const double *values, size_t count, gate_interval range,
                                 size_t points)
{
  gate_numbers heights = {0};
  const double width = gate_bandwidth(values, count);
  const double step = (range.high - range.low) / (double)(points - 1);
  const double scale = 1 / ((double)count * width * sqrt(2 * acos(-1)));
  for (size_t i = 0; i < points; i++) {
    double sum = 0;
    for (size_t j = 0; j < count; j++) {
      const double distance = (range.low + step * (double)i - values[j]) / width;
      sum += exp(-distance * distance / 2);
    }
    gate_numbers_add(&heights, sum * scale);
  }
  return heights;
}
