/* One layer in a GPU's memory: the host makes it (C), the kernels read it (CUDA C++). */

typedef struct {
    unsigned input;
    float weight;
} rx_edge;

typedef struct {
    unsigned output; /* slot; n_out: nobody's */
    float bias;
} rx_end;

typedef struct {
    int blocks; /* 0: each output has edges of its own; 1: groups of m outputs share k inputs */
    unsigned n_out;
    unsigned groups, m, k;   /* blocks; m is a multiple of 8, or 4 */
    const unsigned *starts;  /* rows: [n_out + 1] */
    const rx_edge *edges;    /* rows */
    const unsigned *inputs;  /* blocks: slots [groups][k] and one more */
    const float *weights;    /* blocks: [groups][k][m] and m more */
    const unsigned *outputs; /* slots; rows: [n_out]; blocks: [groups][m], n_out: nobody's */
    const float *bias;       /* beside outputs */
    float low, high;
    /* The same blocks for tensor cores; see tensor.cu. */
    unsigned items, steps;  /* of 16 outputs, of 16 inputs; no items: there are no such blocks */
    const float *fragments; /* TF32 [items][steps][2][32 lanes][4] */
    const unsigned *slots;  /* [items][steps][4 lanes][4] */
    const rx_end *ends;     /* [items][16] */
    int rounds;             /* tensor cores read the outputs: they are rounded */
} rx_cuda_layer;
