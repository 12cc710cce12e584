/* radixfmt_info FILE: a second reader of radixfmt files, written from spec/radixfmt-1.0.md alone. It computes every
 * digest again and prints what it found as JSON, or what is wrong: `RXnnnn PATH: what` on stderr, exit 1. */
#include "layers.h"
#include <locale.h>
#include <search.h>
#include <sys/resource.h>
#include <sys/wait.h>
enum { MAX_SECONDS = 60, MAX_MANIFEST = 16 << 20, MAX_CHAIN = 20000, MAX_TENSORS = 1 << 22 };
#define TENSOR_TYPES WEIGHT_TYPES " bool uint16 uint32 uint64"
#define GEOMETRY "dilations group kernel_shape pads strides"
#define FEATURES "layer.conv values.quantized dtype.bfloat16 procedural.radix-net/1 procedural.graph-challenge/1 " \
                 "procedural.dense/1 procedural.identity/1 procedural.permuted/1"
static const char *version;
static Json *manifest, *graph, *entries;
static Layer *layers;
static size_t layer_count, feed_count;
static uint64_t *feeds; /* i << 32 | j */

static void read_manifest(void) {
    int end = 0;
    check(is(need_attribute("format", "RX0201"), "radixfmt"), "RX0201", "the format is not radixfmt");
    version = need_attribute("format_version", "RX0204");
    sscanf(version, "1.%*4[0-9]%n", &end);
    check(end && !version[end] && (version[2] != '0' || end == 3), "RX0202", "this reader knows versions 1.MINOR");
    strcpy(place, "/manifest");
    Dataset d = read_dataset("RX2001");
    check(is(d.dtype, "text") && d.rank == 0 && d.size <= MAX_MANIFEST, "RX2001", "this is no text of up to 16 MiB");
    manifest = parse_json((char *)d.data);
    need_text(manifest, "format", "radixfmt");
    check(is(need_text(manifest, "version", NULL), version), "RX2009", "the version is not the root's");
    graph = need(manifest, "graph", J_OBJECT), entries = need(manifest, "tensors", J_LIST);
    const Json *metadata = need(manifest, "metadata", J_OBJECT), *requires = need(manifest, "requires", J_LIST);
    for (size_t i = 0; i < requires->count; i++)
        check(requires->items[i].text && is_one_of(requires->items[i].text, FEATURES), "RX0203", "unknown feature");
    for (const Json *said = metadata->items; said < metadata->items + metadata->count; said++)
        check(said->count || (said->text && *said->text), "RX2007", "the member %s says nothing", said->key);
}

static void read_layers(void) {
    H5G_info_t info;
    if (H5Gget_info_by_name(file, "/layers", &info, H5P_DEFAULT) >= 0) layer_count = info.nlinks;
    layers = take(layer_count, sizeof *layers);
    for (size_t i = 0; i < layer_count; i++) {
        sprintf(place, "/layers/%06zu", i);
        check(H5Lexists(file, place, H5P_DEFAULT) > 0, "RX3001", "the layers are not numbered from 0");
        read_layer(&layers[i]);
    }
}
static void read_tensors(void) {
    for (size_t i = 0; i < entries->count; i++) {
        const Json *entry = &entries->items[i], *shape = need(entry, "shape", J_LIST);
        const char *dtype = need_text(entry, "dtype", TENSOR_TYPES);
        sprintf(place, "/tensors/%06zu", i);
        Dataset d = read_dataset("RX3003");
        bool same = is(d.dtype, is(dtype, "bool") ? "uint8" : dtype) && shape->count == (size_t)d.rank;
        for (int k = 0; k < d.rank && same; k++) same = shape->items[k].integer && count_at(shape, k) == d.shape[k];
        check(same, "RX3005", "the type or shape is not the declared one");
        d.dtype = dtype;
        check(is(need_text(entry, "digest", NULL), hash_dense(&d, false)), "RX8003", "the digest differs");
    }
}

/* What makes a tensor: an input of the graph, an entry of the manifest's `tensors`, or a node. */
static Json *find_maker(const Json *name) {
    static Json none;
    if (name->kind == J_STRING && !*name->text) return &none; /* an input that is left out */
    ENTRY *found = name->kind == J_STRING ? hsearch((ENTRY){(char *)name->text, NULL}, FIND) : NULL;
    check(found, "RX6003", "nothing makes a tensor that is used");
    return found->data;
}
static void add_maker(const Json *name, Json *maker) {
    check(name->kind == J_STRING, "RX2007", "the name of a tensor is no text");
    if (!*name->text) return; /* left out */
    ENTRY *entry = hsearch((ENTRY){(char *)name->text, maker}, ENTER);
    check(entry && entry->data == maker, "RX6004", "a tensor is made twice");
}
static void add_ports(Json *list) {
    for (Json *port = list->items; port < list->items + list->count; port++) {
        const Json *shape = need(port, "shape", J_LIST);
        need_text(port, "dtype", TENSOR_TYPES);
        if (shape->count) port->last = &shape->items[shape->count - 1];
        add_maker(need(port, "name", J_STRING), port);
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
    const Json *inputs = node->inputs = need(node, "inputs", J_LIST), *outputs = need(node, "outputs", J_LIST);
    const Json *layer = node->layer = member(node, "layer"), *attributes = member(node, "attributes");
    bool sparse = is_one_of(need_text(node, "op", NULL), "SparseLinear SparseConv");
    for (Json *a = attributes ? attributes->items : NULL; a && a < attributes->items + attributes->count; a++)
        round_floats(member(a, "float")), round_floats(member(a, "floats"));
    for (size_t i = 0; i < outputs->count; i++) add_maker(&outputs->items[i], node);
    bool one = inputs->count == 1 && outputs->count == 1 && inputs->items->text && *inputs->items->text;
    check(sparse == (layer != NULL), "RX6008", "a sparse operator, and no other, has a layer");
    check(!sparse || (one && *outputs->items->text), "RX6008", "a sparse operator has one input and one output");
    check(!layer || is_integer(layer, 0, (int64_t)layer_count - 1), "RX6003", "a layer is not there");
    if (layer) layers[(size_t)layer->number].applied = true;
}

/* Visit what a tensor's maker needs, depth first. Sizes meet at sparse operators. */
static void visit(Json *maker, int depth) {
    enum { NEW, OPEN, DONE };
    if (maker->mark == DONE) return;
    check(maker->mark == NEW && depth < MAX_CHAIN, "RX6001", "a cycle, or a longer chain than this reader follows");
    maker->mark = OPEN;
    const Json *inputs = maker->inputs, *last = NULL;
    for (size_t i = inputs ? inputs->count : 0; i-- > 0; last = find_maker(&inputs->items[i])->last)
        visit(find_maker(&inputs->items[i]), depth + 1);
    maker->mark = DONE;
    if (inputs && is_one_of(need_text(maker, "op", NULL), "Relu LeakyRelu Clip Sigmoid Tanh")) maker->last = last;
    if (!maker->layer || !is(need_text(maker, "op", NULL), "SparseLinear")) return;
    const Json *sizes = member(layers[(size_t)maker->layer->number].json, "shape")->items;
    check(!last || !last->integer || last->number == sizes->number, "RX6005", "a layer has another number of inputs");
    maker->last = &sizes[1];
}

/* From what a node reads back to the nearest nodes that apply a layer. */
static void find_feeds(const Json *start, const Json *node, int depth) {
    check(depth < MAX_CHAIN, "RX0199", "the graph is deeper than this reader follows");
    for (size_t i = 0; node->inputs && i < node->inputs->count; i++) {
        Json *maker = find_maker(&node->inputs->items[i]);
        if (maker->seen_from == start) continue;
        maker->seen_from = start;
        if (!maker->layer) find_feeds(start, maker, depth + 1);
        if (!maker->layer) continue;
        feeds = grow(feeds, feed_count, sizeof *feeds);
        feeds[feed_count++] = (uint64_t)maker->layer->number << 32 | (uint64_t)start->layer->number;
    }
}

static void read_graph(void) {
    Json *inputs = need(graph, "inputs", J_LIST), *nodes = need(graph, "nodes", J_LIST);
    const Json *outputs = need(graph, "outputs", J_LIST);
    strcpy(place, "/manifest");
    check(hcreate(MAX_TENSORS), "RX0199", "there is no memory for a table");
    add_ports(inputs), add_ports(entries);
    for (size_t i = 0; i < nodes->count; i++) add_node(&nodes->items[i]);
    for (size_t i = 0; i < outputs->count; i++) visit(find_maker(need(&outputs->items[i], "name", J_STRING)), 0);
    for (size_t i = 0; i < inputs->count; i++) check(inputs->items[i].mark, "RX6007", "an input is not needed");
    for (Json *node = nodes->items; node < nodes->items + nodes->count; node++) {
        check(node->mark, "RX6007", "no output depends on a node");
        if (node->layer) find_feeds(node, node, 0);
    }
    for (size_t i = 0; i < layer_count; i++) check(layers[i].applied, "RX6006", "no node applies a layer");
    sort(feeds, feed_count, 1);
}

static const char *hash_topology(void) {
    BIO *out = start_digest("radixfmt-topology-1\n{\"feeds\":[");
    for (size_t i = 0; i < feed_count; i++)
        if (!i || feeds[i] != feeds[i - 1])
            BIO_printf(out, "%s[%lu,%lu]", i ? "," : "", feeds[i] >> 32, feeds[i] & UINT32_MAX);
    put(out, "],\"layers\":[");
    for (Layer *l = layers; l < layers + layer_count; l++) {
        BIO_printf(out, "%s{\"pattern\":\"%s\",", l > layers ? "," : "", l->digests[PATTERN]);
        BIO_printf(out, "\"shape\":[%lu,%lu]}", l->n_in, l->n_out);
    }
    put(out, "]}");
    return finish_digest(out, pattern_recipe);
}

static void put_digests(BIO *out, const char *before, const Layer *layer, const Json *geometry) {
    const char *comma = "";
    BIO_printf(out, "%s{", before);
    for (int i = 0; i < PARTS; i++) {
        if (!layer->digests[i]) continue;
        if (i == PATTERN && geometry) BIO_printf(out, "%s\"geometry\"", comma), comma = ",";
        if (i == PATTERN && geometry) put_json(out, ":", geometry, GEOMETRY);
        BIO_printf(out, "%s\"%s\":\"%s\"", comma, part_names[i], layer->digests[i]);
        comma = ",";
    }
    put(out, "}");
}

static const char *hash_content(void) {
    BIO *out = start_digest("radixfmt-content-1\n{\"graph\":{");
    put_json(out, "\"inputs\":", member(graph, "inputs"), "dtype name shape");
    put_json(out, ",\"nodes\":", member(graph, "nodes"), "attributes inputs layer op outputs");
    put_json(out, ",\"outputs\":", member(graph, "outputs"), "dtype name shape");
    put(out, "},\"layers\":[");
    for (Layer *l = layers; l < layers + layer_count; l++)
        put_digests(out, l > layers ? "," : "", l, member(l->json, "geometry"));
    put(out, "],\"tensors\":{");
    for (size_t i = 0; i < entries->count; i++) entries->items[i].key = need_text(&entries->items[i], "name", NULL);
    if (entries->count) qsort(entries->items, entries->count, sizeof *entries, compare_names);
    for (Json *entry = entries->items; entry < entries->items + entries->count; entry++) {
        put_string(out, entry > entries->items ? "," : "", entry->key);
        put_json(out, ":", member(entry, "digest"), NULL);
    }
    put(out, "}}");
    return finish_digest(out, any_recipe);
}

static const char *hash_metadata(void) {
    BIO *out = start_digest("radixfmt-metadata-1\n{\"ext\":{");
    for (size_t i = 0; i < ext_count; i++) {
        strcpy(place, ext_paths[i]);
        Dataset d = read_dataset("RX0108");
        BIO *text = is(d.dtype, "text") ? start_digest("radixfmt-text-1\n") : NULL;
        check(!text || d.rank == 0, "RX1033", "a text under /ext is not scalar");
        if (text) put(text, (char *)d.data);
        put_string(out, i ? "," : "", ext_paths[i] + strlen("/ext/"));
        put_string(out, ":", text ? finish_digest(text, false) : hash_dense(&d, false));
    }
    put_json(out, "},\"metadata\":", member(manifest, "metadata"), NULL);
    put(out, ",\"names\":[");
    for (size_t i = 0; i < layer_count; i++) put_json(out, i ? "," : "", member(layers[i].json, "name"), NULL);
    put(out, "]}");
    return finish_digest(out, false);
}

static void put_counts(BIO *out, uint64_t nnz, Wide cells) {
    const char *mark = nnz > MAX_SAFE ? "\"" : ""; /* of larger integers readers of JSON lose digits */
    double density = cells ? (double)((long double)nnz / (long double)cells) : 0;
    BIO_printf(out, ",\"nnz\":%s%lu%s,\"density\":%s", mark, nnz, mark, spell(density, false));
}
static void put_layer(BIO *out, const Layer *l) {
    const char *mark = l->digests[VALUES] ? "\"" : "";
    put_json(out, l > layers ? ",{\"kind\":" : "{\"kind\":", member(l->json, "kind"), NULL);
    put_json(out, ",\"name\":", member(l->json, "name"), NULL);
    put_json(out, ",\"shape\":", member(l->json, "shape"), NULL);
    put_counts(out, l->nnz, (Wide)l->n_in * l->n_out);
    BIO_printf(out, ",\"dtype\":%s%s%s", mark, *mark ? l->dtype : "null", mark);
    BIO_printf(out, ",\"encoding\":\"%s\"", l->record ? "procedural" : "explicit");
    BIO_printf(out, ",\"pattern_digest\":\"%s\"}", l->digests[PATTERN]);
}

/* What a vector's JSON says in `info`, and the digests of its layers. */
static void print_info(void) {
    static const char *const names[] = {"topology_digest", "content_digest", "metadata_digest"};
    const char *digests[] = {hash_topology(), hash_content(), hash_metadata()};
    const Json *name = member(member(manifest, "metadata"), "name");
    BIO *out = BIO_new_fp(stdout, BIO_NOCLOSE);
    uint64_t nnz = 0;
    Wide cells = 0;
    put_string(out, "{\"info\":{\"format_version\":", version);
    put_string(out, ",\"name\":", name && name->kind == J_STRING ? name->text : "");
    strcpy(place, "/");
    for (int i = 0; i < 3; i++) {
        check(is(need_attribute(names[i], "RX8006"), digests[i]), "RX8004", "%s is not %s", names[i], digests[i]);
        BIO_printf(out, ",\"%s\":\"%s\"", names[i], digests[i]);
    }
    for (Layer *l = layers; l < layers + layer_count; l++) nnz += l->nnz, cells += (Wide)l->n_in * l->n_out;
    put_counts(out, nnz, cells);
    put(out, ",\"layers\":[");
    for (Layer *l = layers; l < layers + layer_count; l++) put_layer(out, l);
    put(out, "]},\"digests\":[");
    for (Layer *l = layers; l < layers + layer_count; l++) put_digests(out, l > layers ? "," : "", l, NULL);
    put(out, "]}\n");
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
        read_manifest(), read_layers(), read_tensors(), read_graph();
        print_info();
        return fflush(stdout) == 0 ? 0 : 2;
    }
    check(child > 0 && waitpid(child, &status, 0) == child, "RX0199", "no process can be started");
    check(WIFEXITED(status), "RX0199", "the process that read the file died of signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}
