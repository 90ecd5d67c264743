/* observer_labels.h: the labels that a program adds to every metric (layer 2). Only for .c files.
 */
#ifndef ACCEL_OBSERVER_LABELS_H
#define ACCEL_OBSERVER_LABELS_H

#include "observation.h"

typedef struct accel_observer_labels {
  accel_label labels[ACCEL_OBSERVED_LABELS];
  size_t count;
  char *memory; /* of the texts */
} accel_observer_labels;

ACCEL_EXTERN_C_BEGIN

/* Reads labels such as dc="fra",host="a1"; NULL or "": none. OK; CONFIG, with a text on `owner`
 * that names extra_labels and says where it goes wrong; NOMEM. */
accel_status accel_observer_labels_open(accel_observer_labels *labels, const char *text_or_null,
                                        const void *owner);
void accel_observer_labels_close(accel_observer_labels *labels);

ACCEL_EXTERN_C_END
#endif
