/* Layers (§4): generators, which make any column of a pattern (§6), and the groups under /layers. */
#pragma once
#include "container.h"
#define MAX_SIDE ((int64_t)1 << 40)   /* neurons on one side of a layer */
#define MAX_PLAIN ((uint64_t)1 << 31) /* edges; the digests of larger layers are those of recipes */
#define WEIGHT_TYPES "float64 float32 float16 bfloat16 int8 int16 int32 int64 uint8"
#define GENERATORS "radix-net/1 graph-challenge/1 dense/1 identity/1 permuted/1"
enum { BIAS, PATTERN, SCALE, VALUES, ZERO_POINT, PARTS };
static const char *const part_names[PARTS] = {"bias", "pattern", "scale", "values", "zero_point"};

typedef struct {
    const Json *json, *record;  /* `record`: the generator's, of a procedural layer */
    const char *dtype;          /* of the values */
    const char *digests[PARTS]; /* NULL: there is none */
    uint64_t n_in, n_out, nnz;
    bool applied; /* by some node */
} Layer;
static bool pattern_recipe, any_recipe; /* some digest of a layer is that of a recipe */

typedef struct {
    uint64_t n_in, n_out, fan_in, n, radix, step; /* n neurons are in a block */
    bool backward;                                /* direction -1 */
    /* NULL, or row s of column column_of[j] of the RadiX-Net is row moved_to[row_of[s]] of column j. */
    const uint64_t *row_of, *moved_to, *column_of;
} Pattern;

/* The ascending rows of a column; see radix-net-1.md, "A column without sorting". */
static void make_column(const Pattern *p, uint64_t j, uint64_t *rows) {
    uint64_t t = (p->column_of ? p->column_of[j] : j) % p->n, turns = p->n / p->step;
    uint64_t first = t / p->step + (p->backward ? 0 : turns - (p->radix - 1));
    for (uint64_t i = 0; i < p->fan_in; i++) {
        uint64_t row = i / p->radix * p->n + t % p->step + p->step * ((first + i % p->radix) % turns);
        row = p->row_of ? p->row_of[row] : row;
        rows[i] = p->moved_to ? p->moved_to[row] : row;
    }
    sort(rows, p->fan_in, 1);
}
/* One layer of a RadiX-Net: `step` is the product of the radices before this one, in its system. */
static Pattern radix_layer(uint64_t n, uint64_t radix, uint64_t step, uint64_t before, uint64_t after) {
    Wide n_in = (Wide)n * before, n_out = (Wide)n * after, fan_in = (Wide)radix * before;
    bool small = n_in <= MAX_SIDE && n_out <= MAX_SIDE && fan_in <= 1 << 24 && fan_in * n_out <= MAX_SAFE;
    check(small, "RX7005", "the generated layer is larger than the specification allows");
    return (Pattern){(uint64_t)n_in, (uint64_t)n_out, (uint64_t)fan_in, n, radix, step, .backward = false};
}
static uint64_t parameter(const Json *parameters, const char *key, int64_t least, int64_t most) {
    const Json *json = member(parameters, key);
    check(is_integer(json, least, most), "RX7002", "the generator refuses the parameter %s", key);
    return (uint64_t)json->number;
}

static Pattern make_radix_net(const Json *parameters) {
    const Json *systems = need(parameters, "systems", J_LIST), *widths = need(parameters, "widths", J_LIST);
    uint64_t index = parameter(parameters, "index", 0, MAX_SAFE), n = 0, layer = 0, radix = 0, step = 0;
    for (size_t i = 0; i < systems->count; i++) {
        const Json *system = &systems->items[i];
        uint64_t product = 1;
        bool good = are_integers(system, 2, MAX_SIDE) && are_integers(widths, 1, MAX_SIDE);
        check(good, "RX7002", "the generator refuses its systems or widths");
        for (size_t k = 0; k < system->count; product *= count_at(system, k++), layer++) {
            check(product <= MAX_SIDE / count_at(system, k), "RX7005", "a system has more than 2^40 neurons");
            if (layer == index) radix = count_at(system, k), step = product;
        }
        n = i ? n : product;
        check(n % product == 0, "RX7002", "the products of the systems do not agree");
    }
    check(widths->count == layer + 1 && index < layer, "RX7002", "the index or the widths do not fit");
    Pattern p = radix_layer(n, radix, step, count_at(widths, index), count_at(widths, index + 1));
    p.backward = is_integer(member(parameters, "direction"), -1, -1);
    if (!p.backward) parameter(parameters, "direction", 1, 1);
    return p;
}

/* The next output of MT19937, which is number m. */
static uint32_t next_random(uint32_t state[624], uint64_t m) {
    uint32_t y = (state[m % 624] & 0x80000000U) | (state[(m + 1) % 624] & 0x7FFFFFFFU);
    uint32_t z = state[m % 624] = state[(m + 397) % 624] ^ y >> 1 ^ (y & 1 ? 0x9908B0DFU : 0);
    z ^= z >> 11;
    z ^= z << 7 & 0x9D2C5680U;
    z ^= z << 15 & 0xEFC60000U;
    return z ^ z >> 18;
}

static Pattern make_graph_challenge(const Json *parameters) {
    uint64_t neurons = parameter(parameters, "neurons", 1024, 65536), radices = 6;
    uint64_t layer = parameter(parameters, "layer", 1, 65536) - 1;
    uint32_t state[624] = {5489};
    while (neurons > (uint64_t)16 << radices) radices += 2;
    check(neurons == (uint64_t)16 << radices, "RX7002", "the generator refuses the parameter neurons");
    Pattern p = radix_layer(neurons / 16, 2, (uint64_t)1 << layer % radices, 16, 16);
    p.backward = true;
    if (layer < radices) return p;
    uint64_t *draws = take(2 * neurons, sizeof *draws); /* pairs of a number and the input that drew it */
    for (uint32_t m = 1; m < 624; m++) state[m] = 1812433253U * (state[m - 1] ^ state[m - 1] >> 30) + m;
    for (uint64_t i = 0; i < layer / radices * neurons; i++) {
        uint64_t high = next_random(state, 2 * i) >> 5;
        draws[i % neurons * 2] = high << 26 | next_random(state, 2 * i + 1) >> 6;
        draws[i % neurons * 2 + 1] = i % neurons;
    }
    sort(draws, neurons, 2);
    for (uint64_t i = 0; i < neurons; i++) draws[i] = draws[2 * i + 1];
    p.row_of = draws;
    return p;
}

/* The dataset of the layer at `place`: of one of the types, of `length` elements, or of one where that will do. */
static Dataset read_vector(const char *name, const char *types, uint64_t length, bool or1, const char *code) {
    size_t group = strlen(place);
    sprintf(place + group, "/%s", name);
    Dataset d = read_dataset("RX3003");
    check(d.rank == 1, "RX1033", "the rank is not 1");
    check(d.count == length || (or1 && d.count == 1), code, "the dataset is of another length");
    check(is_one_of(d.dtype, types), "RX3006", "the type is none of: %s", types);
    place[group] = 0;
    return d;
}
/* The integers as u64. */
static uint64_t *widen(Dataset *d) {
    uint64_t *wide = take(d->count, sizeof *wide);
    for (uint64_t i = 0; i < d->count; i++) memcpy(wide + i, d->data + i * d->size, d->size);
    free(d->data);
    d->data = (uint8_t *)wide, d->size = sizeof *wide, d->dtype = "uint64";
    return wide;
}

/* Write some numbers, then `count` elements in the order of `order`, if there is one; one may stand for all. */
static const char *hash_elements(const char *domain, const Dataset *d, const uint64_t *numbers, size_t number_count,
                                 uint64_t count, const uint64_t *order, bool recipe) {
    BIO *out = start_digest(domain);
    BIO_printf(out, "%s\n", d->dtype);
    put_bytes(out, numbers, number_count * sizeof *numbers);
    if (d->count == count && !order) put_bytes(out, d->data, count * d->size);
    else for (uint64_t i = 0; i < count; i++) put_bytes(out, d->data + (order ? order[i] : 0) * d->size, d->size);
    return finish_digest(out, recipe);
}
/* The dense digest; one element may stand for all of the shape. */
static const char *hash_dense(const Dataset *d, bool recipe) {
    uint64_t numbers[1 + MAX_RANK] = {(uint64_t)d->rank}, count = 1;
    for (int i = 0; i < d->rank; i++) count *= numbers[i + 1] = d->shape[i];
    return hash_elements("radixfmt-dense-1\n", d, numbers, (size_t)d->rank + 1, count, NULL, recipe);
}

/* A permutation, or its inverse. */
static uint64_t *read_permutation(const Json *parameters, const char *name, uint64_t n, bool inverted) {
    Dataset d = read_vector(name, "uint32 uint64", n, false, "RX3012");
    uint64_t *forward = widen(&d), *inverse = take(n, sizeof *inverse);
    check(is(need_text(parameters, name, NULL), hash_dense(&d, false)), "RX8003", "the digest of %s differs", name);
    for (uint64_t i = 0; i < n; i++) {
        check(forward[i] < n && !inverse[forward[i]], "RX4007", "not every neuron is named once");
        inverse[forward[i]] = i + 1; /* 0: not named yet */
    }
    for (uint64_t i = 0; i < n; i++) inverse[i]--;
    return inverted ? inverse : forward;
}

static Pattern make_pattern(const Json *record, bool may_permute) {
    const Json *parameters = need(record, "parameters", J_OBJECT);
    const char *name = need_text(record, "generator", GENERATORS);
    bool in = member(parameters, "in_perm"), out = member(parameters, "out_perm");
    if (is(name, "radix-net/1")) return make_radix_net(parameters);
    if (is(name, "graph-challenge/1")) return make_graph_challenge(parameters);
    if (is(name, "identity/1")) return radix_layer(parameter(parameters, "size", 1, MAX_SIDE), 1, 1, 1, 1);
    if (is(name, "dense/1")) {
        uint64_t inputs = parameter(parameters, "inputs", 1, MAX_SIDE);
        return radix_layer(1, 1, 1, inputs, parameter(parameters, "outputs", 1, MAX_SIDE)); /* blocks of one neuron */
    }
    check(may_permute && (in || out), "RX7002", "the generator refuses its base, or has no permutation");
    Pattern p = make_pattern(need(parameters, "base", J_OBJECT), false);
    if (out) p.column_of = read_permutation(parameters, "out_perm", p.n_out, false);
    if (in) p.moved_to = read_permutation(parameters, "in_perm", p.n_in, true);
    return p;
}

static const char *hash_pattern(const Layer *layer, uint64_t *pointers, uint64_t *indices) {
    BIO *out = start_digest("radixfmt-pattern-1\n");
    put_bytes(out, (uint64_t[]){layer->n_in, layer->n_out, layer->nnz}, 24);
    put_bytes(out, pointers, (layer->n_out + 1) * sizeof *pointers);
    put_bytes(out, indices, layer->nnz * sizeof *indices);
    free(pointers), free(indices);
    return finish_digest(out, false);
}

static const char *hash_generated(const Layer *layer) {
    Pattern p = make_pattern(layer->record, true);
    check(p.n_in == layer->n_in && p.n_out == layer->n_out, "RX7003", "the generator makes another shape");
    check(p.n_out * p.fan_in == layer->nnz, "RX7003", "the generator makes another number of edges");
    if (layer->nnz > MAX_PLAIN) {
        BIO *out = start_digest("radixfmt-recipe-1\n");
        put_json(out, "{\"record\":", layer->record, "generator parameters");
        BIO_printf(out, ",\"shape\":[%lu,%lu]}", p.n_in, p.n_out);
        return finish_digest(out, true);
    }
    uint64_t *pointers = take(p.n_out + 1, sizeof *pointers), *indices = take(layer->nnz, sizeof *indices);
    for (uint64_t j = 0; j <= p.n_out; j++) pointers[j] = j * p.fan_in;
    for (uint64_t j = 0; j < p.n_out; j++) make_column(&p, j, indices + pointers[j]);
    return hash_pattern(layer, pointers, indices);
}

/* Turn CSR into CSC, with where in the file each edge of the canonical order is. */
static uint64_t *transpose(const Layer *layer, uint64_t *pointers, uint64_t *indices, uint64_t *order) {
    uint64_t(*edges)[3] = take(layer->nnz, sizeof *edges), *starts = take(layer->n_out + 1, sizeof *starts);
    for (uint64_t row = 0; row < layer->n_in; row++)
        for (uint64_t i = pointers[row]; i < pointers[row + 1]; i++)
            edges[i][0] = indices[i], edges[i][1] = row, edges[i][2] = i;
    sort(edges, layer->nnz, 3);
    for (uint64_t i = 0; i < layer->nnz; i++)
        starts[edges[i][0] + 1]++, indices[i] = edges[i][1], order[i] = edges[i][2];
    for (uint64_t j = 0; j < layer->n_out; j++) starts[j + 1] += starts[j];
    free(edges), free(pointers);
    return starts;
}

static const char *read_explicit(const Layer *layer, bool csr, uint64_t **order) {
    uint64_t runs = csr ? layer->n_in : layer->n_out, below = csr ? layer->n_out : layer->n_in;
    check(layer->nnz <= MAX_PLAIN, "RX3009", "an explicit layer has more than 2^31 edges");
    Dataset d = read_vector("pointers_to_1", "uint64", runs + 1, false, "RX3005");
    uint64_t *pointers = widen(&d);
    check(!pointers[0] && pointers[runs] == layer->nnz, "RX4001", "the pointers do not go from 0 to nnz");
    for (uint64_t j = 0; j < runs; j++) check(pointers[j] <= pointers[j + 1], "RX4002", "pointers decrease");
    d = read_vector("indices_1", "uint16 uint32 uint64", layer->nnz, false, "RX3005");
    check(d.size == 8 || below <= (uint64_t)1 << 8 * d.size, "RX3010", "the indices are too narrow");
    uint64_t *indices = widen(&d);
    for (uint64_t j = 0; j < runs; j++)
        for (uint64_t i = pointers[j], least = 0; i < pointers[j + 1]; least = indices[i++] + 1)
            check(indices[i] >= least && indices[i] < below, "RX4005", "indices do not ascend, or name no neuron");
    *order = csr ? take(layer->nnz, sizeof **order) : NULL;
    if (csr) pointers = transpose(layer, pointers, indices, *order);
    return hash_pattern(layer, pointers, indices);
}

static const char *hash_values(const Layer *layer, const Dataset *d, const uint64_t *order) {
    if (layer->nnz <= MAX_PLAIN || d->count > 1)
        return hash_elements("radixfmt-values-1\n", d, &layer->nnz, 1, layer->nnz, order, false);
    BIO *out = start_digest("radixfmt-values-recipe-1\n");
    BIO_printf(out, "{\"dtype\":\"%s\",\"nnz\":\"%lu\",\"value\":\"", d->dtype, layer->nnz);
    for (size_t i = 0; i < d->size; i++) BIO_printf(out, "%02x", d->data[i]);
    put(out, "\"}");
    return finish_digest(out, true);
}

/* bias, scale or zero_point: one number for each output neuron, or one for all. */
static const char *read_per_output(const Layer *layer, const char *name, const char *types) {
    Dataset d = read_vector(name, types, layer->n_out, true, "RX3012");
    bool recipe = d.count == 1 && layer->n_out > MAX_PLAIN;
    d.shape[0] = recipe ? 1 : layer->n_out;
    return hash_dense(&d, recipe);
}

/* Check the layer at `place`, and compute its digests. */
static void read_layer(Layer *layer) {
    const Json *json = layer->json = parse_json(need_attribute("layer", "RX3002"));
    const Json *shape = need(json, "shape", J_LIST), *nnz = need(json, "nnz", J_NUMBER);
    const Json *pattern = need(json, "pattern", J_OBJECT), *values = need(json, "values", J_OBJECT);
    const Json *bias = member(json, "bias"), *length = member(bias, "length");
    uint64_t *order = NULL;
    need_text(json, "name", NULL), need_text(json, "kind", "linear conv");
    bool counts = shape->count == 2 && are_integers(shape, 0, MAX_SIDE) && is_integer(nnz, 0, MAX_SAFE);
    check(counts, "RX3008", "the shape is not two sizes, or nnz is no integer");
    layer->n_in = count_at(shape, 0), layer->n_out = count_at(shape, 1), layer->nnz = (uint64_t)nnz->number;
    check(layer->nnz <= (Wide)layer->n_in * layer->n_out, "RX3009", "there are more edges than cells");
    pattern_recipe = pattern_recipe || layer->nnz > MAX_PLAIN;
    bool procedural = is(need_text(pattern, "encoding", "explicit procedural"), "procedural");
    bool csr = !procedural && is(need_text(pattern, "format", "CSC CSR"), "CSR");
    layer->record = procedural ? pattern : NULL;
    layer->digests[PATTERN] = procedural ? hash_generated(layer) : read_explicit(layer, csr, &order);
    const char *encoding = need_text(values, "encoding", "array iso quantized topology-only");
    layer->dtype = need_text(values, "dtype", WEIGHT_TYPES);
    bool one = is_one_of(encoding, "iso topology-only");
    Dataset d = read_vector("values", layer->dtype, one ? 1 : layer->nnz, false, "RX3011");
    if (!is(encoding, "topology-only")) layer->digests[VALUES] = hash_values(layer, &d, one ? NULL : order);
    free(d.data), free(order);
    int64_t n_out = (int64_t)layer->n_out;
    check(!bias || is_integer(length, 1, 1) || is_integer(length, n_out, n_out), "RX3012", "not length n_out or 1");
    if (bias) layer->digests[BIAS] = read_per_output(layer, "bias", need_text(bias, "dtype", WEIGHT_TYPES));
    if (is(encoding, "quantized")) {
        layer->digests[SCALE] = read_per_output(layer, "scale", "float32");
        layer->digests[ZERO_POINT] = read_per_output(layer, "zero_point", layer->dtype);
    }
    for (int i = 0; i < PARTS; i++) {
        const char *name = part_names[i], *computed = layer->digests[i];
        if (!computed) continue;
        any_recipe = any_recipe || computed[3] == 'r';
        check(is(need_text(member(json, "digests"), name, NULL), computed), "RX8001", "%s is not %s", name, computed);
    }
}
