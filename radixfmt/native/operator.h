/* The operators of the domain ai.radixfmt, version 1. */
#ifndef RADIXFMT_OPERATOR_H
#define RADIXFMT_OPERATOR_H

#include "ort_api.h"
#include "stack.h"

#define RX_FIELDS 5        /* integers per layer in the attribute `layers` of a stack */
#define RX_LAYERS (1 << 16) /* layers of a stack */

OrtStatus *rx_refuse(OrtApi api, const char *format, ...) __attribute__((format(printf, 2, 3)));
OrtStatus *rx_read_layer(OrtApi api, const OrtKernelInfo *info, int form, rx_stack **stack);
OrtStatus *rx_read_stack(OrtApi api, const OrtKernelInfo *info, int form, rx_stack **stack);

#endif
