/* Blocks on tensor cores, in a tile of shared memory: products of TF32, sums of float32.

   A warp takes 16 outputs of a group for all samples of the tile. Weights are the first factor of
   mma.m16n8k8, samples the columns of the second and of the sums. So an output's samples lie in the
   registers of four lanes, eight neighbours in each, and a gathered row is read by eight lanes, four
   neighbours in each: every access to the tile takes 128 bits, whatever slots are read. (Samples as
   the first factor would be gathered, and outputs scattered, by single words.) The four columns
   that a lane reads belong to four products, each of which has one of every lane.

   A quarter of a warp reads 32 bytes of four rows at once. Rows begin 4 banks further with each slot,
   or earlier, so slots that differ by 2, 4 and 6 modulo 8 share no bank: the host orders the inputs
   of a group into such fours. Stores are free of conflicts where neighbouring outputs have
   neighbouring slots.

   Arithmetic for groups of 16 outputs and 32 inputs, tiles of 28: a group is 14336 multiply-adds, in
   cycles of a multiprocessor 16 for weights (128 bytes each), 32 for samples, 16 for results, 3 for
   slots and biases: 67, at most 214 multiply-adds a cycle. Its 16 products of 1024 take 32 at the
   512 a cycle of an A100, and newer ones are faster. 2304 bytes come from the L2 cache; at the 24 a
   cycle that an H100's has been seen to give each multiprocessor that is 96 cycles, or 150
   multiply-adds a cycle. 30 TeraEdges/s on an H200 are 130: the L2 cache is what limits tiles of 28.
   Tiles of 64 take less than half of that for each multiply-add.

   Therefore a step is 16 inputs, 1088 bytes for a warp, and the next one is on its way during each:
   of 16 warps 17 kB, which is 24 bytes a cycle for 700 cycles of latency.

   A kernel for each layer reads samples from the L2 cache, one for 16 multiply-adds, as in float32
   (two parts of 8 outputs share it): 77 multiply-adds a cycle at most, which float32 allows too. */

/* A lane's weights of two products and the slots of the rows that it reads. */
struct Fragment {
    float4 first, second;
    uint4 slots;
};

DEVICE Fragment fragment(const rx_cuda_layer &layer, unsigned item, unsigned step) {
    const unsigned lane = threadIdx.x % WARP;
    const size_t at = (size_t)item * layer.steps + step;
    const float4 *weights = (const float4 *)layer.fragments + at * 2 * WARP + lane;
    const uint4 *slots = (const uint4 *)layer.slots + at * 4 + lane % 4;
    return {__ldg(weights), __ldg(weights + WARP), __ldg(slots)};
}

/* Eight inputs, of which this lane reads two. Of a tile of 28 the last lanes read again what their
   neighbours read, and the sums are left. */
template <int TILE>
DEVICE void add_eight(float sum[][4], const float4 &weights, const float *upper,
                      const float *lower) {
    const unsigned column = threadIdx.x % WARP / 4 * 4;
#pragma unroll
    for (int i = 0; i < TILE; i += 32) {
        const unsigned at = i + 32 > TILE && i + column >= TILE ? TILE - 4 : i + column;
        const float4 one = *(const float4 *)(upper + at), other = *(const float4 *)(lower + at);
        multiply(sum[i / 8], weights, one.x, other.x);
        multiply(sum[i / 8 + 1], weights, one.y, other.y);
        multiply(sum[i / 8 + 2], weights, one.z, other.z);
        multiply(sum[i / 8 + 3], weights, one.w, other.w);
    }
}

/* This lane's samples of one output: those at `at` of each sum's four. */
template <int TILE, class Rows>
DEVICE void store_output(const rx_cuda_layer &layer, Rows y, const uint2 &end,
                         const float sum[][4], int at) {
    if (end.x >= layer.n_out) return;
    const float bias = __uint_as_float(end.y);
    float *row = y.row(end.x);
#pragma unroll
    for (int i = 0; i < TILE; i += 32)
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const unsigned sample = i + threadIdx.x % 4 * 8 + half * 4;
            float made[4];
#pragma unroll
            for (int s = 0; s < 4; s++)
                made[s] = finished<Rows::ROUNDS>(sum[i / 8 + s][at + half] + bias, layer);
            if (i + 32 <= TILE || sample < TILE)
                *(float4 *)(row + sample) = {made[0], made[1], made[2], made[3]};
        }
}

/* Warp `warp` of `warps`; `next` is its first fragment. */
template <int TILE, class Rows>
DEVICE void tensor(const rx_cuda_layer &layer, Rows x, Rows y, unsigned warp, unsigned warps,
                   Fragment next) {
    for (unsigned item = warp; item < layer.items; item += warps) {
        const uint2 *ends = (const uint2 *)layer.ends + (size_t)item * 16 + threadIdx.x % WARP / 4;
        const uint2 upper = __ldg(ends), lower = __ldg(ends + 8);
        float sum[(TILE + 31) / 32 * 4][4] = {};
        for (unsigned step = 0; step < layer.steps; step++) {
            const Fragment now = next;
            if (step + 1 < layer.steps) next = fragment(layer, item, step + 1);
            else if (item + warps < layer.items) next = fragment(layer, item + warps, 0);
            add_eight<TILE>(sum, now.first, x.row(now.slots.x), x.row(now.slots.y));
            add_eight<TILE>(sum, now.second, x.row(now.slots.z), x.row(now.slots.w));
        }
        store_output<TILE>(layer, y, upper, sum, 0);
        store_output<TILE>(layer, y, lower, sum, 2);
        __syncwarp();
    }
}
