/* Layers (§4): generators, which make the rows of any column of a pattern (§6), and the groups under /layers. */
#ifndef LAYERS_H
#define LAYERS_H

#include "container.h"

/* ---- generators (§6 and spec/generators): the rows of any column ---- */

typedef struct Pattern {
    enum { EXPLICIT, RADIX_NET, DENSE, IDENTITY, RELABELLED } kind;
    uint64_t n_in, n_out, nnz, most;           /* `most`: no column has more edges */
    const uint64_t *pointers, *indices;        /* EXPLICIT, as CSC */
    uint64_t n, radix, step, blocks;           /* RADIX_NET: n neurons in a block, `blocks` of them on the input side */
    bool backward;
    const struct Pattern *base;                /* RELABELLED: row s of the base's column column_of[j] ... */
    const uint64_t *row_of, *column_of;        /* ... is row row_of[s] of column j; NULL leaves them as they are */
} Pattern;

/* radix-net-1.md, "A column without sorting". */
static void radix_net_column(const Pattern *p, uint64_t column, uint64_t *rows) {
    uint64_t turns = p->n / p->step, low = column % p->n % p->step, first = column % p->n / p->step;
    if (!p->backward) first = (first + turns - (p->radix - 1)) % turns;
    uint64_t wrapped = first + p->radix > turns ? first + p->radix - turns : 0;
    for (uint64_t block = 0; block < p->blocks; block++) {
        for (uint64_t k = 0; k < wrapped; k++) *rows++ = block * p->n + low + p->step * k;
        for (uint64_t k = first; k < first + p->radix - wrapped; k++) *rows++ = block * p->n + low + p->step * k;
    }
}

/* The ascending rows of a column, and how many there are. `rows` may be NULL. */
static uint64_t column_rows(const Pattern *p, uint64_t column, uint64_t *rows) {
    uint64_t count = p->most;
    if (p->kind == EXPLICIT) {
        count = p->pointers[column + 1] - p->pointers[column];
        if (rows && count) memcpy(rows, p->indices + p->pointers[column], count * sizeof *rows);
    } else if (p->kind == RELABELLED) {
        count = column_rows(p->base, p->column_of ? p->column_of[column] : column, rows);
        for (uint64_t i = 0; rows && p->row_of && i < count; i++) rows[i] = p->row_of[rows[i]];
        if (rows && p->row_of && count) qsort(rows, count, sizeof *rows, compare_u64);
    } else if (rows && p->kind == RADIX_NET) {
        radix_net_column(p, column, rows);
    } else if (rows) {
        for (uint64_t i = 0; i < count; i++) rows[i] = p->kind == DENSE ? i : column;
    }
    return count;
}

static void need_parameter(bool good, const char *name, const char *path) {
    check(good, "RX7002", path, "the generator refuses the parameter `%s`", name);
}

/* The parameters are those that the words name, in the order of their keys, and no others. */
static void need_parameters(const Json *parameters, const char *words, size_t count, const char *path) {
    bool good = parameters->count == count;
    for (size_t i = 0; good && i < count; i++) good = is_listed(parameters->items[i]->key, words);
    check(good, "RX7002", path, "the generator's parameters are not: %s", words);
}

static uint64_t count_parameter(const Json *parameters, const char *key, uint64_t least, uint64_t most, const char *path) {
    const Json *json = member(parameters, key);
    need_parameter(is_count(json, least, most), key, path);
    return (uint64_t)json->number;
}

static void check_limits(Wide n_in, Wide n_out, Wide fan_in, const char *path) {
    check(n_in <= MAX_SIDE && n_out <= MAX_SIDE && fan_in <= MAX_FAN_IN && fan_in * n_out <= MAX_SAFE, "RX7005", path,
          "the generated layer is larger than the specification allows");
}

static Pattern radix_net_layer(uint64_t n, uint64_t radix, uint64_t step, uint64_t before, uint64_t after, const char *path) {
    check_limits((Wide)n * before, (Wide)n * after, (Wide)radix * before, path);
    return (Pattern){.kind = RADIX_NET, .n_in = n * before, .n_out = n * after, .nnz = n * after * radix * before,
                     .most = radix * before, .n = n, .radix = radix, .step = step, .blocks = before};
}

/* The product of the system's radices, which it multiplies up to the limit of a side. */
static uint64_t system_product(const Json *system, const char *path) {
    need_parameter(system->count > 0 && are_counts(system, system->count, 2, MAX_SAFE), "systems", path);
    Wide product = 1;
    for (size_t i = 0; i < system->count && product <= MAX_SIDE; i++) product *= count_at(system, i);
    check_limits(product, 0, 0, path);
    return (uint64_t)product;
}

static Pattern make_radix_net(const Json *parameters, const char *path) {
    need_parameters(parameters, "direction index systems widths", 4, path);
    const Json *systems = need(parameters, "systems", J_LIST, path), *widths = need(parameters, "widths", J_LIST, path);
    const Json *direction = need(parameters, "direction", J_NUMBER, path);
    uint64_t index = count_parameter(parameters, "index", 0, MAX_SAFE, path), place = 0;
    need_parameter(systems->count > 0, "systems", path);
    uint64_t n = system_product(systems->items[0], path);
    need_parameter(direction->integer && fabs(direction->number) == 1, "direction", path);
    need_parameter(are_counts(widths, widths->count, 1, MAX_SAFE), "widths", path);
    Pattern chosen = {0};
    for (size_t i = 0; i < systems->count; i++) {
        uint64_t product = system_product(systems->items[i], path), step = 1;
        need_parameter(product == n || (i + 1 == systems->count && n % product == 0), "systems", path);
        for (size_t k = 0; k < systems->items[i]->count; k++, place++) {
            uint64_t radix = count_at(systems->items[i], k);
            need_parameter(place + 1 < widths->count, "widths", path);
            Pattern layer = radix_net_layer(n, radix, step, count_at(widths, place), count_at(widths, place + 1), path);
            if (place == index) chosen = layer;
            step *= radix;
        }
    }
    need_parameter(widths->count == place + 1, "widths", path);
    need_parameter(index < place, "index", path);
    chosen.backward = direction->number < 0;
    return chosen;
}

typedef struct {
    uint32_t state[624];
    int used;
} Twister;

static uint32_t next_twister(Twister *t) {
    for (int i = 0; t->used == 624 && i < 624; i++) {
        uint32_t y = (t->state[i] & 0x80000000U) | (t->state[(i + 1) % 624] & 0x7FFFFFFFU);
        t->state[i] = t->state[(i + 397) % 624] ^ y >> 1 ^ (y & 1 ? 0x9908B0DFU : 0);
    }
    t->used %= 624;
    uint32_t z = t->state[t->used++];
    z ^= z >> 11;
    z ^= z << 7 & 0x9D2C5680U;
    z ^= z << 15 & 0xEFC60000U;
    return z ^ z >> 18;
}

typedef struct {
    uint64_t number, neuron;
} Draw;

static int compare_draws(const void *a, const void *b) {
    int order = compare_u64(&((const Draw *)a)->number, &((const Draw *)b)->number);
    return order ? order : compare_u64(&((const Draw *)a)->neuron, &((const Draw *)b)->neuron);
}

/* The input neurons in the order of their ranks. A file's layers come in order, so the numbers drawn are kept. */
static const uint64_t *challenge_order(uint64_t neurons, uint64_t group) {
    static Twister twister;
    static uint64_t of_neurons, drawn; /* groups */
    static Draw draws[65536];
    if (of_neurons != neurons || drawn > group) {
        twister.state[0] = 5489;
        for (uint32_t m = 1; m < 624; m++)
            twister.state[m] = 1812433253U * (twister.state[m - 1] ^ twister.state[m - 1] >> 30) + m;
        twister.used = 624;
        of_neurons = neurons;
        drawn = 0;
    }
    for (; drawn < group; drawn++)
        for (uint64_t i = 0; i < neurons; i++) {
            uint64_t high = next_twister(&twister) >> 5;
            draws[i] = (Draw){high << 26 | next_twister(&twister) >> 6, i};
        }
    qsort(draws, neurons, sizeof *draws, compare_draws);
    uint64_t *order = take(neurons, sizeof *order);
    for (uint64_t i = 0; i < neurons; i++) order[i] = draws[i].neuron;
    return order;
}

static Pattern make_graph_challenge(const Json *parameters, const char *path) {
    need_parameters(parameters, "layer neurons", 2, path);
    uint64_t neurons = count_parameter(parameters, "neurons", 1024, 65536, path), radices = 6;
    uint64_t layer = count_parameter(parameters, "layer", 1, 65536, path) - 1;
    while (neurons > (uint64_t)16 << radices) radices += 2;
    need_parameter(neurons == (uint64_t)16 << radices, "neurons", path);
    Pattern *base = take(1, sizeof *base);
    *base = radix_net_layer(neurons / 16, 2, (uint64_t)1 << layer % radices, 16, 16, path);
    base->backward = true;
    Pattern relabelled = *base;
    relabelled.kind = RELABELLED;
    relabelled.base = base;
    if (layer >= radices) relabelled.row_of = challenge_order(neurons, layer / radices);
    return relabelled;
}

static Pattern make_dense(const Json *parameters, const char *path) {
    need_parameters(parameters, "inputs outputs", 2, path);
    uint64_t n_in = count_parameter(parameters, "inputs", 1, MAX_SAFE, path);
    uint64_t n_out = count_parameter(parameters, "outputs", 1, MAX_SAFE, path);
    check_limits(n_in, n_out, n_in, path);
    return (Pattern){.kind = DENSE, .n_in = n_in, .n_out = n_out, .nnz = n_in * n_out, .most = n_in};
}

static Pattern make_identity(const Json *parameters, const char *path) {
    need_parameters(parameters, "size", 1, path);
    uint64_t size = count_parameter(parameters, "size", 1, MAX_SAFE, path);
    check_limits(size, size, 1, path);
    return (Pattern){.kind = IDENTITY, .n_in = size, .n_out = size, .nnz = size, .most = 1};
}

/* ---- layers (§4) ---- */

#define WEIGHT_TYPES "float64 float32 float16 bfloat16 int8 int16 int32 int64 uint8"
#define TENSOR_TYPES WEIGHT_TYPES " bool uint16 uint32 uint64"

enum { PATTERN, VALUES, BIAS, SCALE, ZERO_POINT, PARTS };
static const char *const part_names[PARTS] = {"pattern", "values", "bias", "scale", "zero_point"};

typedef enum { ARRAY, ISO, QUANTIZED, TOPOLOGY_ONLY } Encoding;

typedef struct {
    char path[32], dtype[16], bias_dtype[16];
    const Json *json, *record; /* `record`: the generator's, of a procedural layer */
    Text name;
    bool conv, csr;
    Encoding encoding;
    uint64_t n_in, n_out, nnz, bias_length;
    Digest digests[PARTS];
} Layer;

static const char *join_path(char *out, const char *group, const char *name) {
    snprintf(out, MAX_PATH, "%.32s/%s", group, name);
    return out;
}

static void need_dtype(char out[16], const Json *object, const char *allowed, const char *code, const char *path) {
    Text text = need_text(object, "dtype", path);
    check(is_listed(text, allowed), code, path, "the dtype is none of: %s", allowed);
    memset(out, 0, 16);
    memcpy(out, text.bytes, text.length);
}

/* Which of the words, ended by NULL, the member is. */
static int need_choice(const Json *object, const char *key, const char *const *words, const char *path) {
    Text text = need_text(object, key, path);
    int i = 0;
    while (words[i] && !is_text(text, words[i])) i++;
    check(words[i] != NULL, "RX2007", path, "the member `%s` is none of the allowed words", key);
    return i;
}

/* The matrix has a row for every input channel of a group and cell of the kernel. */
static void check_geometry(const Layer *layer) {
    const Json *geometry = member(layer->json, "geometry");
    check(layer->conv == (geometry != NULL), "RX2007", layer->path, "a conv layer, and no other, has a geometry");
    if (!geometry) return;
    const Json *kernel = need(geometry, "kernel_shape", J_LIST, layer->path);
    const Json *group = need(geometry, "group", J_NUMBER, layer->path);
    size_t rank = kernel->count;
    check(rank >= 1 && rank <= 3 && are_counts(kernel, rank, 1, MAX_SAFE) && is_count(group, 1, MAX_SAFE) &&
              are_counts(need(geometry, "strides", J_LIST, layer->path), rank, 1, MAX_SAFE) &&
              are_counts(need(geometry, "dilations", J_LIST, layer->path), rank, 1, MAX_SAFE) &&
              are_counts(need(geometry, "pads", J_LIST, layer->path), 2 * rank, 0, MAX_SAFE),
          "RX6011", layer->path, "the geometry is not that of a convolution of rank 1 to 3");
    Wide cells = 1;
    for (size_t i = 0; i < rank && cells <= MAX_SIDE; i++) cells *= count_at(kernel, i);
    check(layer->n_in % cells == 0 && layer->n_out % (uint64_t)group->number == 0, "RX6011", layer->path,
          "the geometry does not fit the matrix");
}

static void parse_shape(Layer *layer) {
    const Json *shape = need(layer->json, "shape", J_LIST, layer->path);
    const Json *nnz = need(layer->json, "nnz", J_NUMBER, layer->path);
    check(are_counts(shape, 2, 0, MAX_SIDE), "RX3008", layer->path, "the shape is not two integers from 0 to 2^40");
    layer->n_in = count_at(shape, 0);
    layer->n_out = count_at(shape, 1);
    check(is_count(nnz, 0, MAX_SAFE) && (uint64_t)nnz->number <= (Wide)layer->n_in * layer->n_out, "RX3009",
          layer->path, "nnz is not an integer from 0 to n_in * n_out");
    layer->nnz = (uint64_t)nnz->number;
}

/* What the attribute `layer` says without the datasets. */
static void parse_layer(const File *file, Layer *layer) {
    static const char *const kinds[] = {"linear", "conv", NULL}, *const formats[] = {"CSC", "CSR", NULL};
    static const char *const patterns[] = {"explicit", "procedural", NULL};
    static const char *const encodings[] = {"array", "iso", "quantized", "topology-only", NULL};
    const char *path = layer->path;
    Text text = find_attribute(file, path, "layer");
    check(text.bytes != NULL, "RX3002", path, "the attribute `layer` is missing");
    layer->json = parse_json(text, path);
    layer->name = need_text(layer->json, "name", path);
    layer->conv = need_choice(layer->json, "kind", kinds, path);
    parse_shape(layer);
    check_geometry(layer);
    const Json *pattern = need(layer->json, "pattern", J_OBJECT, path), *bias = member(layer->json, "bias");
    if (need_choice(pattern, "encoding", patterns, path)) layer->record = pattern;
    else layer->csr = need_choice(pattern, "format", formats, path);
    check(layer->record || layer->nnz <= MAX_PLAIN, "RX3009", path, "an explicit layer has more than 2^31 edges");
    const Json *values = need(layer->json, "values", J_OBJECT, path);
    layer->encoding = (Encoding)need_choice(values, "encoding", encodings, path);
    need_dtype(layer->dtype, values, layer->encoding == QUANTIZED ? "int8 uint8" : WEIGHT_TYPES, "RX3007", path);
    if (!bias) return;
    need_dtype(layer->bias_dtype, need(layer->json, "bias", J_OBJECT, path), WEIGHT_TYPES, "RX3007", path);
    const Json *length = need(bias, "length", J_NUMBER, path);
    check(is_count(length, 1, 1) || is_count(length, layer->n_out, layer->n_out), "RX3012", path,
          "the bias is neither of length n_out nor of length 1");
    layer->bias_length = (uint64_t)length->number;
}

/* The datasets of the group are those that the encodings name. */
static void check_datasets(const File *file, const Layer *layer) {
    char words[160], path[MAX_PATH];
    const Json *parameters = layer->record ? need(layer->record, "parameters", J_OBJECT, layer->path) : NULL;
    bool permuted = parameters && is_text(need_text(layer->record, "generator", layer->path), "permuted/1");
    snprintf(words, sizeof words, "values%s%s%s%s%s", layer->record ? "" : " pointers_to_1 indices_1",
             layer->bias_dtype[0] ? " bias" : "", layer->encoding == QUANTIZED ? " scale zero_point" : "",
             permuted && member(parameters, "in_perm") ? " in_perm" : "",
             permuted && member(parameters, "out_perm") ? " out_perm" : "");
    join_path(path, layer->path, "");
    for (size_t i = find_first(file, path); name_below(file, i, path); i++)
        check(!file->objects[i].dataset || is_listed(text_of(name_below(file, i, path)), words), "RX3004",
              file->objects[i].path, "the layer's encodings do not use this dataset");
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        need_dataset(file, join_path(path, layer->path, word), "RX3003");
}

typedef struct {
    const char *name;
    const char *roles; /* the types that its role allows */
    const char *dtype; /* the declared type, or NULL */
    uint64_t length;
    bool or_one;      /* length 1 will do as well */
    const char *code; /* of a wrong length */
} Vector;

static void *read_vector(const File *file, const Layer *layer, Vector want, Dataset *d) {
    char path[MAX_PATH];
    *d = open_dataset(file, join_path(path, layer->path, want.name));
    check(d->rank == 1 && (d->count == want.length || (want.or_one && d->count == 1)), want.code, path,
          "the dataset is not of length %llu", (Shown)want.length);
    check(d->dtype && is_listed(text_of(d->dtype), want.roles), "RX3007", path, "the type is none of: %s", want.roles);
    check(!want.dtype || !strcmp(d->dtype, want.dtype), "RX3006", path, "the type is not the declared %s", want.dtype);
    void *data = read_dataset(d);
    close_dataset(d);
    return data;
}

static uint64_t *widen(const void *data, const Dataset *d) {
    uint64_t *wide = take(d->count, sizeof *wide);
    for (uint64_t i = 0; i < d->count; i++) memcpy(wide + i, (const uint8_t *)data + i * d->size, d->size);
    return wide;
}

static void check_pointers(const char *path, const uint64_t *pointers, uint64_t runs, uint64_t nnz) {
    check(pointers[0] == 0, "RX4001", path, "the first pointer is not 0");
    for (uint64_t i = 0; i < runs; i++)
        check(pointers[i] <= pointers[i + 1], "RX4002", path, "pointer %llu decreases", (Shown)i + 1);
    check(pointers[runs] == nnz, "RX4003", path, "the last pointer is not nnz");
}

static void check_indices(const char *path, const uint64_t *pointers, const uint64_t *indices, uint64_t runs, uint64_t below) {
    for (uint64_t run = 0; run < runs; run++)
        for (uint64_t i = pointers[run]; i < pointers[run + 1]; i++) {
            bool first = i == pointers[run];
            check(indices[i] < below, "RX4004", path, "index %llu names no neuron", (Shown)i);
            check(first || indices[i] != indices[i - 1], "RX4006", path, "index %llu stands twice", (Shown)i);
            check(first || indices[i] > indices[i - 1], "RX4005", path, "index %llu does not ascend", (Shown)i);
        }
}

/* Turn CSR into CSC; `order` says where in the file each canonical edge is. */
static void transpose(Pattern *p, const uint64_t **order) {
    uint64_t *starts = take(p->n_out + 2, sizeof *starts), *rows = take(p->nnz, sizeof *rows);
    uint64_t *places = take(p->nnz, sizeof *places);
    for (uint64_t i = 0; i < p->nnz; i++) starts[p->indices[i] + 2]++;
    for (uint64_t j = 2; j < p->n_out + 2; j++) starts[j] += starts[j - 1];
    for (uint64_t row = 0; row < p->n_in; row++)
        for (uint64_t i = p->pointers[row]; i < p->pointers[row + 1]; i++) {
            uint64_t k = starts[p->indices[i] + 1]++; /* which ends as the start of the next column */
            rows[k] = row;
            places[k] = i;
        }
    p->pointers = starts;
    p->indices = rows;
    *order = places;
}

/* The descriptor of another format, which an explicit layer of types that it knows carries and which agrees. */
static void check_binsparse(const File *file, const Layer *layer, const char *indices_dtype) {
    const char *path = layer->path;
    char values[32];
    bool known = !layer->record && !is_listed(text_of(layer->dtype), "float16 bfloat16");
    Text text = find_attribute(file, path, "binsparse");
    check(!known || text.bytes, "RX3021", path, "the attribute `binsparse` is missing");
    check(known || !text.bytes, "RX3022", path, "the attribute `binsparse` is not for this layer");
    if (!known) return;
    const Json *top = need(parse_json(text, path), "binsparse", J_OBJECT, path), *shape = member(top, "shape");
    const Json *types = need(top, "data_types", J_OBJECT, path);
    snprintf(values, sizeof values, layer->encoding == ISO ? "iso[%s]" : "%s", layer->dtype);
    check(need_text(top, "version", path).bytes && are_counts(shape, 2, 0, MAX_SIDE) &&
              count_at(shape, 0) == layer->n_in && count_at(shape, 1) == layer->n_out &&
              is_count(member(top, "number_of_stored_values"), layer->nnz, layer->nnz) &&
              is_text(need_text(top, "format", path), layer->csr ? "CSR" : "CSC") &&
              is_text(need_text(types, "pointers_to_1", path), "uint64") &&
              is_text(need_text(types, "indices_1", path), indices_dtype) &&
              is_text(need_text(types, "values", path), layer->encoding == TOPOLOGY_ONLY ? "iso[bint8]" : values),
          "RX3023", path, "the attribute `binsparse` does not agree with `layer`");
}

static Pattern read_explicit(const File *file, const Layer *layer, const uint64_t **order) {
    Pattern p = {.kind = EXPLICIT, .n_in = layer->n_in, .n_out = layer->n_out, .nnz = layer->nnz};
    uint64_t runs = layer->csr ? p.n_in : p.n_out, below = layer->csr ? p.n_out : p.n_in;
    Dataset d;
    p.pointers = read_vector(file, layer, (Vector){"pointers_to_1", "uint64", NULL, runs + 1, false, "RX3005"}, &d);
    check_pointers(d.path, p.pointers, runs, p.nnz);
    const void *raw = read_vector(
        file, layer, (Vector){"indices_1", "uint16 uint32 uint64", NULL, p.nnz, false, "RX3005"}, &d);
    check(d.size == 8 || below <= (uint64_t)1 << 8 * d.size, "RX3010", d.path, "the type is too narrow for the neurons");
    check_binsparse(file, layer, d.dtype);
    p.indices = widen(raw, &d);
    check_indices(d.path, p.pointers, p.indices, runs, below);
    if (layer->csr) {
        charge("RX0199", layer->path, p.n_out); /* CSR stores nothing for an output neuron without edges */
        transpose(&p, order);
    }
    for (uint64_t j = 0; j < p.n_out; j++) {
        uint64_t count = column_rows(&p, j, NULL);
        p.most = count > p.most ? count : p.most;
    }
    return p;
}

/* Elements in the order of `order`, if there is one; one element stands for `count`. */
static void put_elements(Sink *sink, const uint8_t *data, size_t size, bool one, uint64_t count, const uint64_t *order) {
    if (!one && !order) put(sink, data, count * size);
    for (uint64_t i = 0; i < count && (one || order); i++) put(sink, data + (one ? 0 : order[i]) * size, size);
}

static Digest hash_dense(const char *dtype, int rank, const hsize_t *shape, const void *data, bool one, bool recipe) {
    Sink sink = start_digest("radixfmt-dense-1");
    uint64_t count = 1;
    putf(&sink, "%s\n", dtype);
    put_u64(&sink, (uint64_t)rank);
    for (int i = 0; i < rank; i++) {
        put_u64(&sink, shape[i]);
        count *= shape[i];
    }
    put_elements(&sink, data, dtype_size(dtype), one, count, NULL);
    return finish_digest(&sink, recipe);
}

/* A declared digest is well-formed and that of the content. */
static void check_digest(Text declared, const char *name, Digest computed, const char *code, const char *path) {
    size_t prefix = declared.length == 68 ? 4 : 5;
    bool formed = declared.length == prefix + 64 && !memcmp(declared.bytes, prefix == 4 ? "rx1:" : "rx1r:", prefix);
    for (size_t i = prefix; formed && i < declared.length; i++)
        formed = is_listed((Text){declared.bytes + i, 1}, "0 1 2 3 4 5 6 7 8 9 a b c d e f");
    check(formed, "RX8007", path, "the digest `%s` is not `rx1:` or `rx1r:` and 64 hexadecimal digits", name);
    check(is_text(declared, computed.text), code, path, "the digest `%s` should be %s", name, computed.text);
}

/* The same for a member of an object, which must be there. */
static void compare_digest(const Json *digests, const char *key, Digest computed, const char *code, const char *path) {
    const Json *json = member(digests, key);
    check(json != NULL, "RX8006", path, "the digest `%s` is missing", key);
    check_digest(need_text(digests, key, path), key, computed, code, path);
}

/* The permutation of that name, and its inverse if that is asked for; NULL if there is none. */
static uint64_t *read_permutation(const File *file, const Layer *layer, const Json *parameters, const char *name,
                                  hsize_t length, bool inverse) {
    if (!member(parameters, name)) return NULL;
    Dataset d;
    const void *raw = read_vector(file, layer, (Vector){name, "uint32 uint64", NULL, length, false, "RX3012"}, &d);
    uint64_t *forward = widen(raw, &d), *back = take(length, sizeof *back);
    for (uint64_t i = 0; i < length; i++) {
        check(forward[i] < length && !back[forward[i]], "RX4007", d.path, "element %llu is no neuron or one named before",
              (Shown)i);
        back[forward[i]] = i + 1; /* 0: not named yet */
    }
    for (uint64_t i = 0; i < length; i++) back[i]--;
    compare_digest(parameters, name, hash_dense("uint64", 1, &length, forward, false, false), "RX8003", d.path);
    return inverse ? back : forward;
}

static Pattern make_pattern(const File *file, const Layer *layer, const Json *record);

static Pattern make_permuted(const File *file, const Layer *layer, const Json *parameters) {
    const Json *record = member(parameters, "base");
    bool in = member(parameters, "in_perm"), out = member(parameters, "out_perm");
    need_parameters(parameters, "base in_perm out_perm", (size_t)1 + in + out, layer->path);
    need_parameter(in || out, "in_perm", layer->path);
    need_parameter(record && record->kind == J_OBJECT && record->count == 2, "base", layer->path);
    need_parameter(!is_text(need_text(record, "generator", layer->path), "permuted/1"), "base", layer->path);
    Pattern *base = take(1, sizeof *base);
    *base = make_pattern(file, layer, record);
    Pattern p = *base;
    p.kind = RELABELLED;
    p.base = base;
    p.row_of = read_permutation(file, layer, parameters, "in_perm", p.n_in, true);
    p.column_of = read_permutation(file, layer, parameters, "out_perm", p.n_out, false);
    return p;
}

static Pattern make_pattern(const File *file, const Layer *layer, const Json *record) {
    const Json *parameters = need(record, "parameters", J_OBJECT, layer->path);
    Text name = need_text(record, "generator", layer->path);
    check(is_listed(name, "radix-net/1 graph-challenge/1 dense/1 identity/1 permuted/1"), "RX7001", layer->path,
          "the generator is not known");
    return is_text(name, "radix-net/1")         ? make_radix_net(parameters, layer->path)
           : is_text(name, "graph-challenge/1") ? make_graph_challenge(parameters, layer->path)
           : is_text(name, "dense/1")           ? make_dense(parameters, layer->path)
           : is_text(name, "identity/1")        ? make_identity(parameters, layer->path)
                                                : make_permuted(file, layer, parameters);
}

static Digest hash_recipe(const Layer *layer) {
    Sink sink = start_digest("radixfmt-recipe-1");
    putf(&sink, "{\"record\":");
    put_json(&sink, layer->record, "generator parameters");
    putf(&sink, ",\"shape\":[%llu,%llu]}", (Shown)layer->n_in, (Shown)layer->n_out);
    return finish_digest(&sink, true);
}

static Digest hash_pattern(const Pattern *p) {
    Sink sink = start_digest("radixfmt-pattern-1");
    uint64_t *rows = take(p->most, sizeof *rows), end = 0;
    put_u64(&sink, p->n_in);
    put_u64(&sink, p->n_out);
    put_u64(&sink, p->nnz);
    put_u64(&sink, 0);
    for (uint64_t j = 0; j < p->n_out; j++) put_u64(&sink, end += column_rows(p, j, NULL));
    for (uint64_t j = 0; j < p->n_out; j++) put(&sink, rows, column_rows(p, j, rows) * sizeof *rows);
    return finish_digest(&sink, false);
}

static Digest hash_values(const Layer *layer, const uint8_t *values, const uint64_t *order) {
    size_t size = dtype_size(layer->dtype);
    bool one = layer->encoding == ISO, recipe = one && layer->nnz > MAX_PLAIN;
    Sink sink = start_digest(recipe ? "radixfmt-values-recipe-1" : "radixfmt-values-1");
    if (recipe) {
        putf(&sink, "{\"dtype\":\"%s\",\"nnz\":\"%llu\",\"value\":\"", layer->dtype, (Shown)layer->nnz);
        for (size_t i = 0; i < size; i++) putf(&sink, "%02x", values[i]);
        putf(&sink, "\"}");
    } else {
        putf(&sink, "%s\n", layer->dtype);
        put_u64(&sink, layer->nnz);
        put_elements(&sink, values, size, one, layer->nnz, order);
    }
    return finish_digest(&sink, recipe);
}

/* The least and the largest of the degrees are those that the layer declares, if it does. */
static void check_degrees(const Layer *layer, const char *name, const uint64_t *degrees, uint64_t count) {
    const Json *declared = member(layer->json, name);
    if (!declared) return;
    uint64_t least = count ? UINT64_MAX : 0, most = 0;
    for (uint64_t i = 0; i < count; i++) {
        least = degrees[i] < least ? degrees[i] : least;
        most = degrees[i] > most ? degrees[i] : most;
    }
    check(are_counts(declared, 2, 0, MAX_SAFE), "RX2007", layer->path, "`%s` is not two integers", name);
    check(count_at(declared, 0) == least && count_at(declared, 1) == most, "RX4009", layer->path,
          "`%s` is not [%llu, %llu]", name, (Shown)least, (Shown)most);
}

static void check_fans(const Layer *layer, const Pattern *p) {
    bool in = member(layer->json, "fan_in"), out = member(layer->json, "fan_out");
    if (out) charge("RX0199", layer->path, p->n_in);
    uint64_t *inputs = take(in ? p->n_out : 0, sizeof *inputs), *outputs = take(out ? p->n_in : 0, sizeof *outputs);
    uint64_t *rows = take(p->most, sizeof *rows);
    for (uint64_t j = 0; j < p->n_out && (in || out); j++) {
        uint64_t count = column_rows(p, j, rows);
        if (in) inputs[j] = count;
        for (uint64_t i = 0; i < count && out; i++) outputs[rows[i]]++;
    }
    check_degrees(layer, "fan_in", inputs, p->n_out);
    check_degrees(layer, "fan_out", outputs, p->n_in);
}

static Digest read_pattern(const File *file, const Layer *layer, const uint64_t **order) {
    Pattern p = layer->record ? make_pattern(file, layer, layer->record) : read_explicit(file, layer, order);
    if (layer->record) check_binsparse(file, layer, "");
    check(p.n_in == layer->n_in && p.n_out == layer->n_out && p.nnz == layer->nnz, "RX7003", layer->path,
          "the generator makes another shape or nnz than declared");
    if (layer->nnz > MAX_PLAIN) return hash_recipe(layer);
    if (layer->record) charge("RX7005", layer->path, layer->n_out + layer->nnz);
    check_fans(layer, &p);
    return hash_pattern(&p);
}

static Digest read_values(const File *file, const Layer *layer, const uint64_t *order) {
    bool one = layer->encoding == ISO || layer->encoding == TOPOLOGY_ONLY;
    Dataset d;
    const uint8_t *values = read_vector(
        file, layer, (Vector){"values", WEIGHT_TYPES, layer->dtype, one ? 1 : layer->nnz, false, "RX3011"}, &d);
    if (layer->encoding != TOPOLOGY_ONLY) return hash_values(layer, values, order);
    check(is_text(text_of(d.dtype), "uint8") && values[0] == 1, "RX5004", d.path, "this is not the uint8 1");
    return (Digest){""};
}

/* bias, scale or zero_point: one number for each output neuron, or one for all. */
static Digest read_per_output(const File *file, const Layer *layer, Vector vector) {
    Dataset d;
    const void *data = read_vector(file, layer, vector, &d);
    const float *scales = strcmp(vector.name, "scale") == 0 ? data : NULL;
    check(strcmp(vector.name, "bias") != 0 || d.count == layer->bias_length, "RX3005", d.path, "this is of another length");
    for (uint64_t i = 0; scales && i < d.count; i++)
        check(isfinite(scales[i]) && scales[i] > 0, "RX5007", d.path, "a scale is not finite and above 0");
    bool recipe = d.count == 1 && layer->n_out > MAX_PLAIN;
    hsize_t length = recipe ? 1 : layer->n_out;
    if (d.count != length) charge("RX0199", d.path, length);
    return hash_dense(d.dtype, 1, &length, data, d.count == 1, recipe);
}

/* Check a layer and compute its digests. Its arrays are given back; its JSON stays. */
static void read_layer(const File *file, Layer *layer) {
    static const char *const codes[PARTS] = {"RX8001", "RX8002", "RX8003", "RX8003", "RX8003"};
    parse_layer(file, layer);
    const Block *mark = top_block;
    const uint64_t *order = NULL;
    const Vector bias = {"bias", WEIGHT_TYPES, layer->bias_dtype, layer->n_out, true, "RX3012"};
    const Vector scale = {"scale", "float32", NULL, layer->n_out, true, "RX3012"};
    const Vector zero_point = {"zero_point", "int8 uint8", layer->dtype, layer->n_out, true, "RX3012"};
    const Json *digests = need(layer->json, "digests", J_OBJECT, layer->path);
    check_datasets(file, layer);
    layer->digests[PATTERN] = read_pattern(file, layer, &order);
    layer->digests[VALUES] = read_values(file, layer, order);
    if (layer->bias_dtype[0])
        layer->digests[BIAS] = read_per_output(file, layer, bias);
    if (layer->encoding == QUANTIZED) {
        layer->digests[SCALE] = read_per_output(file, layer, scale);
        layer->digests[ZERO_POINT] = read_per_output(file, layer, zero_point);
    }
    for (int part = 0; part < PARTS; part++)
        if (layer->digests[part].text[0])
            compare_digest(digests, part_names[part], layer->digests[part],
                           part == PATTERN && layer->record ? "RX7004" : codes[part], layer->path);
    give_back_to(mark);
}

#endif
