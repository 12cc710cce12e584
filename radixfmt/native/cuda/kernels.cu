/* The kernels, compiled at run time for the GPU at hand, after layer.h,
   samples.cu and tensor.cu.

   Activations lie as rows of samples, one row for each neuron's slot. A warp takes some outputs of
   a row of TILE samples: LANES lanes share an output and hold SAMPLES samples each.

   Blocks: a thread adds up OUTPUTS x SAMPLES sums in registers. Arithmetic for 8 x 7, tiles of 28:
   one step of k is 56 multiply-adds of a warp, 14 cycles of a multiprocessor, and reads 7 rows of
   shared memory (a cycle each, if the groups side by side lie in different banks) and 32 bytes of
   weights, 2 to 4 cycles of the L1 cache. That is 112 FLOP for 28 bytes of activations a thread.
   Weights leave the L2 cache once for each tile: 4 bytes for 28 multiply-adds, at full speed 18
   bytes a cycle for each multiprocessor. Of the loop's instructions 112 of 153 are multiply-adds.

   8 x 8, tiles of 64, where activations lie in the L2 cache: a warp reads 256 bytes of activations
   and 128 of weights for 2048 multiply-adds, and writes 4 bytes for every k of them.

   Rows: nothing is shared but the edge. One activation is read for each multiply-add, so shared
   memory allows a quarter of full speed. */

template <int LANES, int SAMPLES, int OUTPUTS>
DEVICE void add(float sum[OUTPUTS][SAMPLES], const float weight[OUTPUTS], const float *row,
                unsigned lane) {
    float sample[SAMPLES];
    load_samples<LANES, SAMPLES>(row, lane, sample);
#pragma unroll
    for (int o = 0; o < OUTPUTS; o++)
#pragma unroll
        for (int s = 0; s < SAMPLES; s++) sum[o][s] += weight[o] * sample[s];
}

/* Warp `warp` of `warps`. The weights and the slot of the next step are read during this one; the
   last step may read what lies behind the group, and leaves it. */
template <int LANES, int SAMPLES, int OUTPUTS, class Rows>
DEVICE void blocks(const rx_cuda_layer &layer, Rows x, Rows y, unsigned warp, unsigned warps) {
    const unsigned lane = threadIdx.x % LANES, each = WARP / LANES;
    const unsigned parts = layer.m / OUTPUTS, items = layer.groups * parts, k = layer.k;
    unsigned item = warp * each + threadIdx.x % WARP / LANES;
    for (; item < items; item += warps * each) {
        const size_t group = item / parts, at = group * layer.m + item % parts * OUTPUTS;
        const unsigned *input = layer.inputs + group * k;
        const float *weights = layer.weights + group * k * layer.m + item % parts * OUTPUTS;
        float sum[OUTPUTS][SAMPLES], even[OUTPUTS], odd[OUTPUTS];
#pragma unroll
        for (int o = 0; o < OUTPUTS; o++) {
            const float bias = __ldg(layer.bias + at + o);
#pragma unroll
            for (int s = 0; s < SAMPLES; s++) sum[o][s] = bias;
        }
        unsigned slot = __ldg(input), i = 0;
        load_weights<OUTPUTS>(weights, even);
#pragma unroll(SAMPLES == 1 ? 4 : 1)
        for (; i + 1 < k; i += 2, input += 2) {
            const unsigned second = __ldg(input + 1);
            load_weights<OUTPUTS>(weights += layer.m, odd);
            add<LANES, SAMPLES, OUTPUTS>(sum, even, x.row(slot), lane);
            slot = __ldg(input + 2);
            load_weights<OUTPUTS>(weights += layer.m, even);
            add<LANES, SAMPLES, OUTPUTS>(sum, odd, x.row(second), lane);
        }
        if (i < k) add<LANES, SAMPLES, OUTPUTS>(sum, even, x.row(slot), lane);
#pragma unroll
        for (int o = 0; o < OUTPUTS; o++) {
            slot = __ldg(layer.outputs + at + o);
            if (slot < layer.n_out)
                store_samples<LANES, SAMPLES, Rows::ROUNDS>(y.row(slot), lane, sum[o], layer);
        }
    }
}

/* One output after another; neighbouring lanes hold neighbouring samples. */
template <int TILE, class Rows>
DEVICE void rows(const rx_cuda_layer &layer, Rows x, Rows y, unsigned warp, unsigned warps) {
    constexpr int LANES = TILE < 8 ? 1 : TILE < 28 ? 8 : WARP;
    constexpr int SAMPLES = TILE <= LANES ? 1 : TILE / LANES;
    const unsigned lane = threadIdx.x % LANES, each = WARP / LANES;
    if (lane >= TILE) return;
    unsigned output = warp * each + threadIdx.x % WARP / LANES;
    for (; output < layer.n_out; output += warps * each) {
        const rx_edge *edge = layer.edges + __ldg(layer.starts + output);
        const rx_edge *end = layer.edges + __ldg(layer.starts + output + 1);
        float sum[SAMPLES];
#pragma unroll
        for (int s = 0; s < SAMPLES; s++) sum[s] = __ldg(layer.bias + output);
#pragma unroll 4
        for (; edge < end; edge++) {
            const uint2 pair = __ldg((const uint2 *)edge);
            float sample[SAMPLES];
            load_samples<LANES, SAMPLES>(x.row(pair.x), lane, sample);
#pragma unroll
            for (int s = 0; s < SAMPLES; s++) sum[s] += __uint_as_float(pair.y) * sample[s];
        }
        store_samples<LANES, SAMPLES, Rows::ROUNDS>(y.row(__ldg(layer.outputs + output)), lane, sum,
                                                    layer);
    }
}

template <int TILE, class Rows>
DEVICE void compute(const rx_cuda_layer &layer, Rows x, Rows y, unsigned warp, unsigned warps) {
    constexpr int SAMPLES = TILE == 28 ? 7 : TILE == 64 ? 8 : 1, LANES = TILE / SAMPLES;
    if (!layer.blocks) rows<TILE>(layer, x, y, warp, warps);
    else if constexpr (TILE == 1) blocks<LANES, SAMPLES, 1>(layer, x, y, warp, warps);
    else if (TILE == 8 || Rows::ROUNDS || layer.m % 8)
        blocks<LANES, SAMPLES, 4>(layer, x, y, warp, warps);
    else blocks<LANES, SAMPLES, 8>(layer, x, y, warp, warps);
}

extern __shared__ float4 memory[];

/* All layers for one tile of samples: activations go to and fro between halves of shared memory. */
template <int TILE, bool TENSOR>
DEVICE void stack(const rx_cuda_layer *layers, int count, const unsigned *first, const float *x,
                  float *y, size_t batch, unsigned n_in, unsigned n_out, unsigned half) {
    using Rows = Tile<TILE, TENSOR>;
    Rows from = {(float *)memory}, to = {(float *)memory + half};
    const unsigned warp = threadIdx.x / WARP, warps = blockDim.x / WARP, lane = threadIdx.x % WARP;
    const size_t start = (size_t)blockIdx.x * TILE, left = batch - start;
    const bool rounds = TENSOR && layers->items;
    Fragment held;
    if (rounds) held = load_fragment(first_record(*layers, warp));
    if (TENSOR && threadIdx.x < Rows::PITCH) /* the row behind the last, which fills up groups */
        from.data[half - 1 - threadIdx.x] = to.data[half - 1 - threadIdx.x] = 0.0f;
    for (unsigned t = warp; t < TILE; t += warps)
        for (unsigned i = lane; i < n_in; i += WARP) {
            const float value = t < left ? x[(start + t) * n_in + i] : 0.0f;
            from.row(first ? first[i] : i)[t] = rounds ? tf32(value) : value;
        }
    __syncthreads();
    for (int i = 0; i < count; i++) {
        const rx_cuda_layer layer = layers[i];
        const bool follows = TENSOR && i + 1 < count && layers[i + 1].items;
        if (!TENSOR || !layer.items) {
            compute<TILE>(layer, from, to, warp, warps);
            if (follows) held = load_fragment(first_record(layers[i + 1], warp));
        } else {
            const rx_record *next = first_record(layers[follows ? i + 1 : i], warp);
            tensor<TILE>(layer, next, from, to, warp, warps, held);
        }
        __syncthreads();
        const Rows made = to;
        to = from;
        from = made;
    }
    for (unsigned t = warp; t < TILE && t < left; t += warps)
        for (unsigned i = lane; i < n_out; i += WARP) y[(start + t) * n_out + i] = from.row(i)[t];
}

#define STACK(NAME, TILE, TENSOR)                                                                 \
    KERNEL __launch_bounds__(512)                                                                 \
        NAME(const rx_cuda_layer *layers, int count, const unsigned *first, const float *x,       \
             float *y, size_t batch, unsigned n_in, unsigned n_out, unsigned half) {              \
        stack<TILE, TENSOR>(layers, count, first, x, y, batch, n_in, n_out, half);                \
    }
STACK(stack_28, 28, false)
STACK(stack_64, 64, false)
STACK(tensor_28, 28, true)
STACK(tensor_64, 64, true)

/* One layer for all tiles in a run of columns: a block's y is its tile. */
#define LAYER(TILE)                                                                               \
    KERNEL __launch_bounds__(128, 4)                                                              \
        layer_##TILE(rx_cuda_layer layer, float *x, float *y, size_t stride) {                    \
        const unsigned warps = blockDim.x / WARP;                                                 \
        const Columns from = {x + blockIdx.y * TILE, stride}, to = {y + blockIdx.y * TILE, stride};\
        compute<TILE>(layer, from, to, blockIdx.x * warps + threadIdx.x / WARP,                   \
                      gridDim.x * warps);                                                         \
    }
LAYER(1)
LAYER(8)
LAYER(64)

/* Samples [batch, n] to rows of `width` samples, zeros behind the last: squares of 32 by 32. */
KERNEL turn_in(const float *x, float *y, const unsigned *first, unsigned batch, unsigned n,
               unsigned width, size_t stride) {
    float *square = (float *)memory;
    const unsigned lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, warps = blockDim.x / WARP;
    const unsigned neuron = blockIdx.x * WARP, start = blockIdx.y * WARP, sample = start + lane;
    for (unsigned i = warp; i < WARP; i += warps)
        if (start + i < batch && neuron + lane < n)
            square[i * 33 + lane] = x[(size_t)(start + i) * n + neuron + lane];
    __syncthreads();
    for (unsigned i = warp; i < WARP && neuron + i < n; i += warps)
        if (sample < width)
            y[(first ? first[neuron + i] : neuron + i) * stride + sample] =
                sample < batch ? square[lane * 33 + i] : 0.0f;
}

KERNEL turn_out(const float *x, float *y, unsigned batch, unsigned n, size_t stride) {
    float *square = (float *)memory;
    const unsigned lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, warps = blockDim.x / WARP;
    const unsigned neuron = blockIdx.x * WARP, start = blockIdx.y * WARP;
    for (unsigned i = warp; i < WARP; i += warps)
        if (start + lane < batch && neuron + i < n)
            square[lane * 33 + i] = x[(neuron + i) * stride + start + lane];
    __syncthreads();
    for (unsigned i = warp; i < WARP && start + i < batch; i += warps)
        if (neuron + lane < n) y[(size_t)(start + i) * n + neuron + lane] = square[i * 33 + lane];
}
