/* radixfmt_info FILE: a second reader of radixfmt files, written from spec/radixfmt-1.0.md alone.
 *
 * It computes every digest of FILE again and prints what it found as JSON. A file that breaks what every
 * reader has to check is refused: `RXnnnn PATH: what is wrong` on stderr, exit 1. */
#include "layers.h"
#include <locale.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { MAX_SECONDS = 60, MAX_MANIFEST = 16 << 20, MAX_CHAIN = 20000 };
#define VERSION "1.0-draft.2"
#define TENSOR_TYPES WEIGHT_TYPES " bool uint16 uint32 uint64"
#define FEATURES                                                                                    \
    "procedural.radix-net/1 procedural.graph-challenge/1 procedural.dense/1 procedural.identity/1 " \
    "procedural.permuted/1 layer.conv values.quantized dtype.bfloat16"

typedef struct {
    const char *name;
    Json *maker; /* an input of the graph, an entry of the manifest's `tensors`, or a node */
} Tensor;

static const char *version;
static Json *manifest, *graph, *entries;
static Layer *layers;
static Tensor *tensors; /* sorted by name */
static size_t layer_count, tensor_count, feed_count;
static uint64_t (*feeds)[2]; /* pairs of layers */

static void read_manifest(void) {
    int end = 0;
    check(is(need_attribute("format", "RX0201"), "radixfmt"), "RX0201", "the format is not radixfmt");
    version = need_attribute("format_version", "RX0204");
    sscanf(version, "1.%*[0-9]%n", &end);
    check((end && !version[end]) || is(version, VERSION), "RX0202", "this reader knows 1.MINOR and " VERSION);
    strcpy(place, "/manifest");
    Dataset d = read_dataset("RX2001");
    check(!d.dtype && d.rank == 0 && d.size <= MAX_MANIFEST, "RX2001", "this is no string of up to 16 MiB");
    manifest = parse_json((char *)d.data);
    need_word(manifest, "format", "radixfmt", "RX2009");
    check(is(need_text(manifest, "version"), version), "RX2009", "the version is not the root's");
    graph = need(manifest, "graph", J_OBJECT), entries = need(manifest, "tensors", J_LIST);
    const Json *metadata = need(manifest, "metadata", J_OBJECT), *requires = need(manifest, "requires", J_LIST);
    for (size_t i = 0; i < requires->count; i++)
        check(requires->items[i].text && is_one_of(requires->items[i].text, FEATURES), "RX0203", "it requires an unknown feature");
    for (const Json *said = metadata->items; said < metadata->items + metadata->count; said++)
        check(said->kind < J_STRING || said->count || (said->text && *said->text), "RX2007", "%s says nothing", said->key);
}

static void read_tensor(const Json *entry) {
    const char *dtype = need_word(entry, "dtype", TENSOR_TYPES, "RX2007");
    const Json *shape = need(entry, "shape", J_LIST);
    Dataset d = read_dataset("RX3003");
    bool same = d.dtype && is(d.dtype, is(dtype, "bool") ? "uint8" : dtype) && shape->count == (size_t)d.rank;
    for (int i = 0; i < d.rank && same; i++) same = shape->items[i].integer && count_at(shape, i) == d.shape[i];
    check(same, "RX3005", "the type or shape is not the declared one");
    d.dtype = dtype;
    check(is(need_text(entry, "digest"), hash_dense(&d, false)), "RX8003", "the digest differs");
    free(d.data);
}

static void read_layers_and_tensors(void) {
    H5G_info_t info;
    if (H5Gget_info_by_name(file, "/layers", &info, H5P_DEFAULT) >= 0) layer_count = info.nlinks;
    layers = take(layer_count, sizeof *layers);
    for (size_t i = 0; i < layer_count; i++) {
        sprintf(place, "/layers/%06zu", i);
        check(H5Lexists(file, place, H5P_DEFAULT) > 0, "RX3001", "the layers are not numbered from 0");
        read_layer(&layers[i]);
    }
    for (size_t i = 0; i < entries->count; i++) {
        sprintf(place, "/tensors/%06zu", i);
        read_tensor(&entries->items[i]);
    }
}

static Json *find_maker(const Json *name) {
    Tensor *found = name->kind == J_STRING ? bsearch(&name->text, tensors, tensor_count, sizeof *tensors, compare_names) : NULL;
    check(found, "RX6003", "nothing makes a tensor that is used");
    return found->maker;
}

static void add_tensor(const Json *name, Json *maker) {
    check(name->kind == J_STRING, "RX2007", "the name of a tensor is no text");
    tensors = grow(tensors, tensor_count, sizeof *tensors);
    tensors[tensor_count++] = (Tensor){name->text, maker};
}

static void add_ports(Json *list) {
    for (Json *port = list->items; port < list->items + list->count; port++) {
        const Json *shape = need(port, "shape", J_LIST);
        need_word(port, "dtype", TENSOR_TYPES, "RX2007");
        if (shape->count) port->last = &shape->items[shape->count - 1];
        port->key = need_text(port, "name");
        add_tensor(member(port, "name"), port);
    }
}

/* Numbers of attributes are float32. */
static void round_floats(Json *json) {
    for (size_t i = 0; json && i < json->count; i++) round_floats(&json->items[i]);
    if (!json || json->kind != J_NUMBER) return;
    check(isfinite((float)json->number), "RX2007", "an attribute is beyond float32");
    json->text = spell(json->number, true);
}

static void add_node(Json *node) {
    const Json *inputs = need(node, "inputs", J_LIST), *outputs = need(node, "outputs", J_LIST);
    const Json *layer = member(node, "layer"), *attributes = member(node, "attributes");
    bool sparse = is_one_of(need_text(node, "op"), "SparseLinear SparseConv");
    for (size_t i = 0; attributes && i < attributes->count; i++) {
        round_floats(member(&attributes->items[i], "float"));
        round_floats(member(&attributes->items[i], "floats"));
    }
    for (size_t i = 0; i < outputs->count; i++)
        if (sparse || !outputs->items[i].text || *outputs->items[i].text) add_tensor(&outputs->items[i], node);
    bool one = inputs->count == 1 && outputs->count == 1 && inputs->items[0].text && *inputs->items[0].text;
    check(sparse ? layer && one : !layer, "RX6008", "sparse operators, and no others, have one input, output and layer");
    check(!layer || is_integer(layer, 0, (int64_t)layer_count - 1), "RX6003", "a layer is not there");
    if (layer) layers[(size_t)layer->number].applied = true;
}

/* Visit what a tensor's maker needs, depth first. Sizes meet at sparse operators. */
static void visit(Json *maker, int depth) {
    enum { NEW, OPEN, DONE };
    const Json *inputs = member(maker, "inputs"), *op = member(maker, "op"), *last = NULL;
    if (maker->mark == DONE) return;
    check(maker->mark == NEW, "RX6001", "the graph has a cycle");
    check(depth < MAX_CHAIN, "RX0199", "the graph is deeper than this reader follows");
    maker->mark = OPEN;
    for (size_t i = inputs ? inputs->count : 0; i-- > 0;) {
        Json *before = find_maker(&inputs->items[i]);
        visit(before, depth + 1);
        last = before->last;
    }
    maker->mark = DONE;
    if (op && is_one_of(op->text, "Relu LeakyRelu Clip Sigmoid Tanh")) maker->last = last;
    if (!op || !is(op->text, "SparseLinear")) return;
    const Json *shape = member(layers[(size_t)member(maker, "layer")->number].json, "shape");
    bool meet = !last || !last->integer || last->number == shape->items[0].number;
    check(meet, "RX6005", "a layer is given another number of inputs than it has");
    maker->last = &shape->items[1];
}

/* From what a node reads back to the nearest nodes that apply a layer. */
static void find_feeds(const Json *start, const Json *node, int depth) {
    const Json *inputs = member(node, "inputs"), *to = member(start, "layer");
    check(depth < MAX_CHAIN, "RX0199", "the graph is deeper than this reader follows");
    for (size_t i = 0; inputs && i < inputs->count; i++) {
        Json *maker = find_maker(&inputs->items[i]);
        const Json *from = member(maker, "layer");
        if (maker->seen_from == start) continue;
        maker->seen_from = start;
        if (!from) find_feeds(start, maker, depth + 1);
        if (!from) continue;
        feeds = grow(feeds, feed_count, sizeof *feeds);
        feeds[feed_count][0] = (uint64_t)from->number, feeds[feed_count++][1] = (uint64_t)to->number;
    }
}

static void read_graph(void) {
    Json *inputs = need(graph, "inputs", J_LIST), *outputs = need(graph, "outputs", J_LIST);
    Json *nodes = need(graph, "nodes", J_LIST), left_out = {.kind = J_STRING, .text = ""};
    strcpy(place, "/manifest");
    add_tensor(&left_out, take(1, sizeof left_out));
    add_ports(inputs), add_ports(entries);
    for (size_t i = 0; i < nodes->count; i++) add_node(&nodes->items[i]);
    qsort(tensors, tensor_count, sizeof *tensors, compare_names);
    for (size_t i = 1; i < tensor_count; i++)
        check(!is(tensors[i - 1].name, tensors[i].name), "RX6004", "a tensor is made twice");
    for (size_t i = 0; i < outputs->count; i++) visit(find_maker(need(&outputs->items[i], "name", J_STRING)), 0);
    for (size_t i = 0; i < inputs->count; i++) check(inputs->items[i].mark, "RX6007", "no output depends on an input");
    for (size_t i = 0; i < nodes->count; i++) {
        check(nodes->items[i].mark, "RX6007", "no output depends on a node");
        if (member(&nodes->items[i], "layer")) find_feeds(&nodes->items[i], &nodes->items[i], 0);
    }
    for (size_t i = 0; i < layer_count; i++) check(layers[i].applied, "RX6006", "no node applies a layer");
    sort(feeds, feed_count, 2);
}

static const char *hash_topology(void) {
    Digest digest = start_digest("radixfmt-topology-1\n{\"feeds\":[");
    for (size_t i = 0; i < feed_count; i++)
        if (!i || memcmp(feeds[i], feeds[i - 1], sizeof *feeds))
            fprintf(digest.out, "%s[%lu,%lu]", i ? "," : "", feeds[i][0], feeds[i][1]);
    fputs("],\"layers\":[", digest.out);
    for (Layer *l = layers; l < layers + layer_count; l++) {
        fprintf(digest.out, "%s{\"pattern\":\"%s\",", l > layers ? "," : "", l->digests[PATTERN]);
        fprintf(digest.out, "\"shape\":[%lu,%lu]}", l->n_in, l->n_out);
    }
    fputs("]}", digest.out);
    return finish_digest(digest, pattern_recipe);
}

static void put_digests(FILE *out, const Layer *layer, const Json *geometry) {
    const char *comma = "{";
    for (int i = 0; i < PARTS; i++) {
        if (i == PATTERN && geometry) {
            fprintf(out, "%s\"geometry\":", comma), comma = ",";
            put_json(out, geometry, "dilations group kernel_shape pads strides");
        }
        if (!layer->digests[i]) continue;
        fprintf(out, "%s\"%s\":\"%s\"", comma, part_names[i], layer->digests[i]);
        comma = ",";
    }
    fputs("}", out);
}

static const char *hash_content(void) {
    Digest digest = start_digest("radixfmt-content-1\n{\"graph\":{\"inputs\":");
    put_json(digest.out, member(graph, "inputs"), "dtype name shape");
    fputs(",\"nodes\":", digest.out);
    put_json(digest.out, member(graph, "nodes"), "attributes inputs layer op outputs");
    fputs(",\"outputs\":", digest.out);
    put_json(digest.out, member(graph, "outputs"), "dtype name shape");
    fputs("},\"layers\":[", digest.out);
    for (Layer *l = layers; l < layers + layer_count; l++) {
        fputs(l > layers ? "," : "", digest.out);
        put_digests(digest.out, l, member(l->json, "geometry"));
    }
    fputs("],\"tensors\":{", digest.out);
    qsort(entries->items, entries->count, sizeof *entries, compare_names);
    for (size_t i = 0; i < entries->count; i++) {
        fputs(i ? "," : "", digest.out);
        put_string(digest.out, entries->items[i].key);
        fprintf(digest.out, ":\"%s\"", need_text(&entries->items[i], "digest"));
    }
    fputs("}}", digest.out);
    return finish_digest(digest, any_recipe);
}

static const char *hash_extension(const char *path) {
    strcpy(place, path);
    Dataset d = read_dataset("RX0108");
    if (d.dtype) return hash_dense(&d, false);
    check(d.rank == 0, "RX1033", "a text under /ext is not scalar");
    Digest digest = start_digest("radixfmt-text-1\n");
    fputs((char *)d.data, digest.out);
    return finish_digest(digest, false);
}

static const char *hash_metadata(void) {
    Digest digest = start_digest("radixfmt-metadata-1\n{\"ext\":{");
    for (size_t i = 0; i < ext_count; i++)
        fprintf(digest.out, "%s\"%s\":\"%s\"", i ? "," : "", ext_paths[i] + strlen("/ext/"), hash_extension(ext_paths[i]));
    fputs("},\"metadata\":", digest.out);
    put_json(digest.out, member(manifest, "metadata"), NULL);
    fputs(",\"names\":[", digest.out);
    for (size_t i = 0; i < layer_count; i++) {
        fputs(i ? "," : "", digest.out);
        put_json(digest.out, member(layers[i].json, "name"), NULL);
    }
    fputs("]}", digest.out);
    return finish_digest(digest, false);
}

static void print_counts(uint64_t nnz, Wide cells) {
    const char *mark = nnz > MAX_SAFE ? "\"" : ""; /* of larger integers readers of JSON lose digits */
    double density = cells ? (double)((long double)nnz / (long double)cells) : 0;
    printf(",\"nnz\":%s%lu%s,\"density\":%s", mark, nnz, mark, spell(density, false));
}

static void print_layer(const Layer *l) {
    printf("%s{\"kind\":\"%s\",\"name\":", l > layers ? "," : "", need_text(l->json, "kind"));
    put_string(stdout, need_text(l->json, "name"));
    printf(",\"shape\":[%lu,%lu]", l->n_in, l->n_out);
    print_counts(l->nnz, (Wide)l->n_in * l->n_out);
    const char *mark = l->digests[VALUES] ? "\"" : "";
    printf(",\"dtype\":%s%s%s", mark, *mark ? l->dtype : "null", mark);
    printf(",\"encoding\":\"%s\"", l->record ? "procedural" : "explicit");
    printf(",\"pattern_digest\":\"%s\"}", l->digests[PATTERN]);
}

/* The members `info` and `layers` of a vector's JSON. */
static void print_info(void) {
    static const char *const names[] = {"topology_digest", "content_digest", "metadata_digest"};
    const char *digests[] = {hash_topology(), hash_content(), hash_metadata()};
    const Json *name = member(member(manifest, "metadata"), "name");
    uint64_t nnz = 0;
    Wide cells = 0;
    printf("{\"info\":{\"format_version\":\"%s\",\"name\":", version);
    put_string(stdout, name && name->kind == J_STRING ? name->text : "");
    strcpy(place, "/");
    for (int i = 0; i < 3; i++) {
        check(is(need_attribute(names[i], "RX8006"), digests[i]), "RX8005", "the %s should be %s", names[i], digests[i]);
        printf(",\"%s\":\"%s\"", names[i], digests[i]);
    }
    for (Layer *l = layers; l < layers + layer_count; l++) nnz += l->nnz, cells += (Wide)l->n_in * l->n_out;
    print_counts(nnz, cells);
    printf(",\"layers\":[");
    for (Layer *l = layers; l < layers + layer_count; l++) print_layer(l);
    printf("]},\"layers\":[");
    for (Layer *l = layers; l < layers + layer_count; l++) {
        printf("%s{\"digests\":", l > layers ? "," : "");
        put_digests(stdout, l, NULL);
        printf("}");
    }
    printf("]}\n");
}

/* libhdf5 may die of a hostile file, so a process reads it that can be lost, within bounds (§9). */
int main(int count, char **arguments) {
    int status = 0;
    if (count != 2 || !setlocale(LC_CTYPE, "C.UTF-8")) {
        fprintf(stderr, "usage: radixfmt_info FILE (where there is the locale C.UTF-8)\n");
        return 2;
    }
    snprintf(place, sizeof place, "%s", arguments[1]);
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CPU, &(struct rlimit){MAX_SECONDS, MAX_SECONDS});
#ifndef __SANITIZE_ADDRESS__ /* which needs the address space for itself */
        setrlimit(RLIMIT_AS, &(struct rlimit){MAX_MEMORY, MAX_MEMORY});
#endif
        open_file(arguments[1]); /* §8, step by step */
        read_manifest();
        read_layers_and_tensors();
        read_graph();
        print_info();
        return fflush(stdout) == 0 ? 0 : 2;
    }
    check(child > 0 && waitpid(child, &status, 0) == child, "RX0199", "no process can be started");
    check(WIFEXITED(status), "RX0199", "the process that read the file died of signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}
