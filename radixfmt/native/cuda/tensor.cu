/* Blocks on tensor cores, in a tile of shared memory: products of TF32, sums of float32.

   A warp takes 16 outputs of a group for all samples of the tile. Weights are the first factor of
   mma.m16n8k8, samples the columns of the second and of the sums. So an output's samples lie in the
   registers of four lanes, eight neighbours in each, and a gathered row is read by eight lanes, four
   neighbours in each: every access to the tile takes 128 bits, whatever slots are read. (Samples as
   the first factor would be gathered, and outputs scattered, by single words.) The four columns
   that a lane reads belong to four products, each of which has one of every lane.

   A quarter of a warp reads 32 bytes of four rows at once, and writes 64 of two. Rows begin 4 banks
   apart, so slots of one parity that differ modulo 8 share none: the host orders the inputs of a
   group into such fours. In a RadiX-Net no load waits for another, and one store in three does.

   TF32 has the mantissa of float16, so weights take 16 bits, each output's multiplied by a power of
   two that puts them in float16's range; its sums are divided by it. Otherwise the L2 cache would be
   the limit of tiles of 28.

   Arithmetic for groups of 16 outputs and 32 inputs, tiles of 28, in cycles of a multiprocessor: a
   group is 14336 multiply-adds. Shared memory and the L1 cache take 8 for weights (128 bytes each),
   32 for samples, 21 for results, 4 for slots and biases: 65. Its 16 products of 1024 take 32 at the
   512 a cycle of an A100. 1408 bytes come from the L2 cache, 59 if that gives each multiprocessor 24
   a cycle (5.6 TB/s of an H100). Instructions are 66 of a warp for 16 inputs and some 155 for the
   results, 290, of which four schedulers start 4 in a cycle: 72, the limit. That is 198
   multiply-adds a cycle; 30 TeraEdges/s on an H200 are 130.

   A warp reads 16 inputs at a time, 576 bytes, and the next ones are on their way during each, across
   groups and layers: of 16 warps 9 kB, at 130 multiply-adds a cycle enough for 720 cycles of latency.

   A kernel for each layer reads samples from the L2 cache, one for 16 multiply-adds, as in float32
   (two parts of 8 outputs share it): 77 multiply-adds a cycle at most, which float32 allows too. */

/* A lane's part of a record. */
struct Fragment {
    uint4 weights, slots;
};

DEVICE Fragment load_fragment(const rx_record *record) {
    return {__ldg((const uint4 *)record->weights + threadIdx.x % WARP),
            __ldg((const uint4 *)record->slots + threadIdx.x % 4)};
}

/* The weights of the first product, or of the second: TF32, whose mantissa is float16's. */
template <bool SECOND> DEVICE float4 weights_of(const Fragment &fragment) {
    const uint4 &pairs = fragment.weights;
    return {widened<SECOND>(pairs.x), widened<SECOND>(pairs.y), widened<SECOND>(pairs.z),
            widened<SECOND>(pairs.w)};
}

/* Where warp `warp` begins; one that has nothing to do reads what the last one reads. */
DEVICE const rx_record *first_record(const rx_cuda_layer &layer, unsigned warp) {
    return layer.records + (size_t)(warp < layer.items ? warp : layer.items - 1) * layer.steps;
}

/* Eight inputs, of which this lane reads two. Of a tile of 28 the last lanes read again what their
   neighbours read, and the sums are left. */
template <int TILE>
DEVICE void add_eight(float sum[][4], const float4 &weights, const float *upper,
                      const float *lower) {
    const unsigned column = threadIdx.x % WARP / 4;
#pragma unroll
    for (int i = 0; i < TILE; i += 32) {
        const unsigned at = i + 32 > TILE && column == 7 ? TILE - 4 : i + column * 4;
        const float4 one = *(const float4 *)(upper + at), other = *(const float4 *)(lower + at);
        multiply(sum[i / 8], weights, one.x, other.x);
        multiply(sum[i / 8 + 1], weights, one.y, other.y);
        multiply(sum[i / 8 + 2], weights, one.z, other.z);
        multiply(sum[i / 8 + 3], weights, one.w, other.w);
    }
}

/* All inputs of an item. `held` comes from its first record, and leaves with what is in `after`: a
   record is on its way while the one before is multiplied. */
template <int TILE, class Rows>
DEVICE void add_item(const rx_record *record, unsigned steps, const rx_record *after, Rows x,
                     Fragment &held, float sum[][4]) {
    for (unsigned step = 1; step <= steps; step++) {
        const Fragment now = held;
        record = step < steps ? record + 1 : after;
        held = load_fragment(record);
        add_eight<TILE>(sum, weights_of<false>(now), x.row(now.slots.x), x.row(now.slots.y));
        add_eight<TILE>(sum, weights_of<true>(now), x.row(now.slots.z), x.row(now.slots.w));
    }
}

/* From sums of two outputs to what becomes of them. */
template <int SUMS>
DEVICE void finish(const rx_cuda_layer &layer, const uint4 &upper, const uint4 &lower,
                   float sum[SUMS][4]) {
#pragma unroll
    for (int i = 0; i < SUMS; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const uint4 &end = j < 2 ? upper : lower;
            const float bias = __uint_as_float(end.y), scale = __uint_as_float(end.z);
            sum[i][j] = bounded(sum[i][j] * scale + bias, layer);
        }
    if (layer.rounds)
#pragma unroll
        for (int i = 0; i < SUMS; i++)
#pragma unroll
            for (int j = 0; j < 4; j++) sum[i][j] = tf32(sum[i][j]);
}

/* This lane's samples of one output, which begin at `at` in each sum's four. */
template <int TILE> DEVICE void store_output(float *row, const float sum[][4], int at) {
#pragma unroll
    for (int i = 0; i < TILE; i += 32) {
        const unsigned sample = i + threadIdx.x % 4 * 8;
        const float *a = sum[i / 8] + at, *b = sum[i / 8 + 1] + at;
        const float *c = sum[i / 8 + 2] + at, *d = sum[i / 8 + 3] + at;
        *(float4 *)(row + sample) = {a[0], b[0], c[0], d[0]};
        if (i + 32 <= TILE || sample + 4 < TILE)
            *(float4 *)(row + sample + 4) = {a[1], b[1], c[1], d[1]};
    }
}

/* Warp `warp` of `warps`; `held` comes from its first record, and leaves with what is in `next`. */
template <int TILE, class Rows>
DEVICE void tensor(const rx_cuda_layer &layer, const rx_record *next, Rows x, Rows y, unsigned warp,
                   unsigned warps, Fragment &held) {
    constexpr int SUMS = (TILE + 7) / 8;
    const rx_record *record = first_record(layer, warp);
    if (warp >= layer.items) held = load_fragment(next);
    for (unsigned item = warp; item < layer.items; item += warps) {
        const rx_record *after = item + warps < layer.items ? record + warps * layer.steps : next;
        const uint4 *ends = (const uint4 *)layer.ends + (size_t)item * 16 + threadIdx.x % WARP / 4;
        const uint4 upper = __ldg(ends), lower = __ldg(ends + 8);
        float sum[SUMS][4] = {};
        add_item<TILE>(record, layer.steps, after, x, held, sum);
        finish<SUMS>(layer, upper, lower, sum);
        if (upper.x < layer.n_out) store_output<TILE>(y.row(upper.x), sum, 0);
        if (lower.x < layer.n_out) store_output<TILE>(y.row(lower.x), sum, 2);
        record = after;
    }
}
