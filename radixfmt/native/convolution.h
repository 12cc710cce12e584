/* Sparse convolutions without im2col.

   What a tile of outputs reads is copied to planes, one for each channel and each phase of the
   strides, with zeros where there is padding. In a plane, the values that one tap of a kernel meets
   lie at a constant distance from the outputs' places: a tap adds a weighted run of floats to a run
   of sums. Between the rows of outputs the run holds a few sums that nobody reads. */
#ifndef RADIXFMT_CONVOLUTION_H
#define RADIXFMT_CONVOLUTION_H

#include "stack.h"

enum { RX_DEPTH, RX_HEIGHT, RX_WIDTH, RX_AXES }; /* the first ones are 1 where there are fewer */

/* Along one axis. */
typedef struct {
    int64_t kernel, stride, dilation, before, after; /* pads before and after */
} rx_axis;

/* A convolution as the model gives it; n_in of `taps` is the cells that one output may read. */
typedef struct {
    int64_t channels, group;
    rx_axis axes[RX_AXES];
    rx_given taps; /* in the form of rows */
} rx_conv_given;

/* What a plane holds: values of a channel, `first` places behind the corner of a window, and every
   stride from there on. */
typedef struct {
    uint32_t channel;
    int64_t first[RX_AXES];
} rx_plane;

/* A convolution as the kernel takes it. */
typedef struct {
    size_t rank; /* of the model's axes, the last ones here */
    int64_t channels;
    rx_axis axes[RX_AXES];
    uint32_t n_out, planes;
    uint32_t down, right; /* rows and columns that a plane has beyond those of the outputs */
    uint32_t blocks;      /* of planes that the innermost cache holds together */
    rx_plane *plane;      /* [planes] */
    uint32_t *starts;     /* [blocks · n_out + 1], of each block's outputs' taps */
    uint32_t *read;       /* [taps], the plane */
    uint16_t *row, *column; /* [taps], where in it */
    float *weights, *bias;
    float low, high;
    rx_buffers offsets, work;
} rx_convolution;

/* Return NULL, or what is wrong with the convolution. */
const char *rx_conv_check(const rx_conv_given *given, char message[RX_MESSAGE]);

/* Whether every number is in the range that all computations rest on. */
int rx_conv_valid(const rx_axis *axis);

/* Return the outputs along one axis of `size` inputs; 0 or less where no window fits. */
int64_t rx_conv_outputs(const rx_axis *axis, int64_t size);

/* Return the convolution, which has been checked, or NULL where memory is short. */
rx_convolution *rx_conv_prepare(const rx_conv_given *given);
void rx_conv_release(rx_convolution *conv);

/* y [batch, n_out, outputs] = the convolution of x [batch, channels, in]; 0, or -1 where memory is
   short. */
int rx_conv_run(rx_convolution *conv, const float *x, float *y, size_t batch,
                const int64_t in[RX_AXES], const rx_pool *pool);

#endif
