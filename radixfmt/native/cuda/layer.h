/* One layer in a GPU's memory: the host makes it (C), the kernels read it (CUDA C++). */

typedef struct {
    unsigned input;
    float weight;
} rx_edge;

typedef struct {
    unsigned output; /* slot; n_out: nobody's */
    float bias;
    float scale; /* of its weights: a power of two */
    unsigned unused;
} rx_end;

/* 16 inputs of 16 outputs: what each lane of a warp multiplies by, and the rows that it reads. */
typedef struct {
    unsigned short weights[32][4][2]; /* float16: four of a lane, for each of two products */
    unsigned slots[4][4];             /* of four lanes, and of eight times these four */
    unsigned unused[16];              /* records begin at cache lines */
} rx_record;

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
    unsigned items, steps;    /* of 16 outputs, of 16 inputs; no items: there are no such blocks */
    const rx_record *records; /* [items][steps] */
    const rx_end *ends;       /* [items][16] */
    int rounds;               /* tensor cores read the outputs: they are rounded */
} rx_cuda_layer;
