/* Kernels for any machine: vectors of four floats, as the compiler finds instructions for them. */
#include "kernels.h"

#define LANES 4
#define TILE 16
#define RUN 8
#define TILES BLOCKS(UP_TO_8, 1) BLOCKS(UP_TO_4, 2) BLOCKS(UP_TO_2, 4) ROWS(1) ROWS(2) ROWS(4)
#define KERNELS rx_generic
#define NAME "generic"
#define gathered(x, at) ((vec){(x)[(at)[0]], (x)[(at)[1]], (x)[(at)[2]], (x)[(at)[3]]})

/* C has no choice between vectors: bits are chosen. */
#define chosen(when, a, b) ((vec)(((ivec)(a) & (when)) | ((ivec)(b) & ~(when))))
#define larger(a, b) chosen((a) > (b), a, b)
#define smaller(a, b) chosen((a) < (b), a, b)
#define summed(v) (((v)[0] + (v)[1]) + ((v)[2] + (v)[3]))

#include "kernels_body.h"
