/* radixfmt_info FILE: a second reader of radixfmt files, written from spec/radixfmt-1.0.md alone.
 *
 * It checks FILE as the specification asks, computes every digest again, and prints what it found as a JSON object.
 * A file that breaks a requirement is refused: exit 1 and `RXnnnn PATH: message` on stderr. The text follows the
 * order in which a file is read; § numbers are those of the specification.
 */
#include "layers.h"

#include <sys/resource.h>
#include <sys/wait.h>

enum { THIS_MAJOR = 1, THIS_MINOR = 0, THIS_DRAFT = 2 };

/* ---- the manifest and its tensors (§3, §5) ---- */

static const char manifest_path[] = "/manifest";

typedef struct {
    Text name;
    size_t producer;   /* a node, or NONE */
    const Json *entry; /* of the manifest's `tensors`, or NULL */
    const Json *shape; /* NULL: not known */
    int64_t last;      /* size of the last axis, or ANY_SIZE: all that SparseLinear asks about */
    bool input, live;  /* an input of the graph; some output depends on it */
} Tensor;

enum { ANY_SIZE = -1 };

typedef struct {
    const Json *json;
    Text op;
    size_t layer;             /* NONE: it applies no layer */
    size_t *inputs, *outputs; /* tensors; NONE: left out */
    size_t input_count, output_count;
} Node;

typedef struct {
    File file;
    const Json *manifest, *graph, *inputs, *outputs;
    Text version;
    Layer *layers;
    Tensor *tensors; /* sorted by name */
    Node *nodes;
    size_t layer_count, tensor_count, node_count, feed_count;
    size_t *order;   /* of the nodes, producers first */
    uint64_t *feeds; /* pairs i << 32 | j, sorted */
} Network;

/* MAJOR.MINOR or MAJOR.MINOR-draft.N */
static void check_version(Text version) {
    char text[32] = "", again[48] = "";
    unsigned major = 0, minor = 0, draft = 0;
    if (version.bytes) memcpy(text, version.bytes, version.length < 31 ? version.length : 31);
    int read = sscanf(text, "%4u.%4u-draft.%4u", &major, &minor, &draft);
    snprintf(again, sizeof again, read == 3 ? "%u.%u-draft.%u" : "%u.%u", major, minor, draft);
    check(read >= 2 && is_text(version, again), "RX0204", "/", "`format_version` is not MAJOR.MINOR[-draft.N]");
    bool this_draft = minor == THIS_MINOR && draft == THIS_DRAFT;
    check(major == THIS_MAJOR && (read == 2 || this_draft), "RX0202", "/", "version %s is not known here", again);
}

static void read_manifest(Network *net) {
    need_dataset(&net->file, manifest_path, "RX2001");
    Dataset d = open_dataset(&net->file, manifest_path);
    check(!d.dtype && d.rank == 0, "RX2001", d.path, "this is not one fixed-length string");
    check(d.size <= MAX_MANIFEST, "RX2006", d.path, "the manifest has more than 16 MiB");
    net->manifest = parse_json(without_padding(read_dataset(&d), d.size, d.type), manifest_path);
    close_dataset(&d);
    check(is_text(need_text(net->manifest, "format", manifest_path), "radixfmt") &&
              same_text(need_text(net->manifest, "version", manifest_path), net->version),
          "RX2009", manifest_path, "`format` and `version` are not those of the root");
    const Json *metadata = need(net->manifest, "metadata", J_OBJECT, manifest_path);
    for (size_t i = 0; i < metadata->count; i++) {
        const Json *said = metadata->items[i];
        check(said->kind < J_STRING || said->count || said->text.length, "RX2007", manifest_path, "metadata says nothing");
    }
    const Json *requires = need(net->manifest, "requires", J_LIST, manifest_path);
    for (size_t i = 0; i < requires->count; i++) {
        Text text = requires->items[i]->text;
        check(requires->items[i]->kind == J_STRING, "RX2007", manifest_path, "a member of `requires` is not text");
        check(is_listed(text, "procedural.radix-net/1 procedural.graph-challenge/1 procedural.dense/1 "
                              "procedural.identity/1 procedural.permuted/1 layer.conv values.quantized dtype.bfloat16"),
              "RX0203", manifest_path, "the feature %.*s is not known", shown_length(text), text.bytes);
    }
}

static void need_feature(const Network *net, bool used, const char *prefix, Text name) {
    char feature[96];
    snprintf(feature, sizeof feature, "%s%.*s", prefix, shown_length(name), name.bytes);
    const Json *requires = member(net->manifest, "requires");
    for (size_t i = 0; i < requires->count && used; i++) used = !is_text(requires->items[i]->text, feature);
    check(!used, "RX0206", manifest_path, "`requires` does not list %s", feature);
}

static void check_features(const Network *net) {
    const Json *tensors = member(net->manifest, "tensors");
    const Text none = text_of("");
    for (size_t i = 0; i < net->layer_count; i++) {
        const Layer *layer = &net->layers[i];
        const Json *record = layer->record, *base = record ? member(member(record, "parameters"), "base") : NULL;
        if (record) need_feature(net, true, "procedural.", member(record, "generator")->text);
        if (base) need_feature(net, true, "procedural.", member(base, "generator")->text);
        need_feature(net, layer->conv, "layer.conv", none);
        need_feature(net, layer->encoding == QUANTIZED, "values.quantized", none);
        need_feature(net, !strcmp(layer->dtype, "bfloat16") || !strcmp(layer->bias_dtype, "bfloat16"), "dtype.bfloat16", none);
    }
    for (size_t i = 0; i < tensors->count; i++)
        need_feature(net, is_text(member(tensors->items[i], "dtype")->text, "bfloat16"), "dtype.bfloat16", none);
}

static void read_tensor(const File *file, const Json *entry, const char *path) {
    char dtype[16];
    need_text(entry, "name", manifest_path);
    need_dtype(dtype, entry, TENSOR_TYPES, "RX2007", manifest_path);
    const Json *shape = need(entry, "shape", J_LIST, manifest_path);
    check(shape->count <= MAX_RANK && are_counts(shape, shape->count, 0, MAX_SAFE), "RX2007", manifest_path,
          "the shape of a tensor is not a list of at most 8 sizes");
    need_dataset(file, path, "RX3003");
    const Block *mark = top_block;
    Dataset d = open_dataset(file, path);
    bool boolean = strcmp(dtype, "bool") == 0, same = (size_t)d.rank == shape->count;
    check(d.dtype && !strcmp(d.dtype, boolean ? "uint8" : dtype), "RX3006", path, "the type is not the declared %s", dtype);
    for (int i = 0; i < d.rank && same; i++) same = count_at(shape, (size_t)i) == d.shape[i];
    check(same, "RX3005", path, "the shape is not the declared one");
    const uint8_t *data = read_dataset(&d);
    for (uint64_t i = 0; i < d.count && boolean; i++) check(data[i] <= 1, "RX3006", path, "a bool is neither 0 nor 1");
    compare_digest(entry, "digest", hash_dense(dtype, d.rank, d.shape, data, false, false), "RX8003", path);
    close_dataset(&d);
    give_back_to(mark);
}

/* The objects in a group are numbered from 000000. Returns how many there are. */
static size_t count_numbered(const File *file, const char *group, const char *code) {
    size_t count = 0;
    char expected[32];
    for (size_t i = find_first(file, group); name_below(file, i, group); i++) {
        if (strchr(name_below(file, i, group), '/')) continue;
        snprintf(expected, sizeof expected, "%06zu", count++);
        check(!strcmp(name_below(file, i, group), expected), code, file->objects[i].path, "this should be %s", expected);
    }
    return count;
}

static void read_layers_and_tensors(Network *net) {
    char path[32];
    const Json *tensors = need(net->manifest, "tensors", J_LIST, manifest_path);
    net->layer_count = count_numbered(&net->file, "/layers/", "RX3001");
    net->layers = take(net->layer_count, sizeof *net->layers);
    for (size_t i = 0; i < net->layer_count; i++) {
        snprintf(net->layers[i].path, sizeof net->layers[i].path, "/layers/%06zu", i);
        read_layer(&net->file, &net->layers[i]);
    }
    for (size_t i = 0; i < tensors->count; i++) {
        snprintf(path, sizeof path, "/tensors/%06zu", i);
        read_tensor(&net->file, tensors->items[i], path);
    }
    check(count_numbered(&net->file, "/tensors/", "RX3004") == tensors->count, "RX3004", "/tensors",
          "there are datasets that the manifest does not name");
}

/* ---- the graph (§5) ---- */

/* ai.onnx, opset 21: all but If, Loop, Scan and SequenceMap, which have subgraphs. These make one tensor of another ... */
#define UNARY                                                                                                          \
    "Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Cast Ceil Celu Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid "      \
    "HardSwish Hardmax Identity IsInf IsNaN LeakyRelu Log LogSoftmax Mish Neg Not Reciprocal Relu Round Selu Shrink "  \
    "Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Tan Tanh ThresholdedRelu"
/* ... as these do of their first one, and both keep its shape ... */
#define SHAPE_KEEPERS                                                                                                  \
    UNARY " BatchNormalization CastLike Clip CumSum DequantizeLinear Dropout DynamicQuantizeLinear LayerNormalization " \
          "QuantizeLinear Trilu"
/* ... these join the sizes of all inputs ... */
#define BROADCASTERS                                                                                                  \
    "Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min " \
    "Mod Mul Or PRelu Pow Sub Sum Where Xor"
/* ... and of these nothing is said here. */
#define OTHER_OPERATORS                                                                                               \
    "AffineGrid ArgMax ArgMin AveragePool Bernoulli BlackmanWindow CenterCropPad Col2Im Compress Concat "             \
    "ConcatFromSequence Constant ConstantOfShape Conv ConvInteger ConvTranspose DFT DeformConv DepthToSpace Det "     \
    "Einsum Expand EyeLike Flatten GRU Gather GatherElements GatherND Gemm GlobalAveragePool GlobalLpPool "           \
    "GlobalMaxPool GridSample GroupNormalization HammingWindow HannWindow ImageDecoder InstanceNormalization LRN "    \
    "LSTM LpNormalization LpPool MatMul MatMulInteger MaxPool MaxRoiPool MaxUnpool MeanVarianceNormalization "        \
    "MelWeightMatrix Multinomial NegativeLogLikelihoodLoss NonMaxSuppression NonZero OneHot Optional "                \
    "OptionalGetElement OptionalHasElement Pad QLinearConv QLinearMatMul RNN RandomNormal RandomNormalLike "          \
    "RandomUniform RandomUniformLike Range ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean "      \
    "ReduceMin ReduceProd ReduceSum ReduceSumSquare RegexFullMatch Reshape Resize ReverseSequence RoiAlign STFT "     \
    "Scatter ScatterElements ScatterND SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert "      \
    "SequenceLength Shape Size Slice SoftmaxCrossEntropyLoss SpaceToDepth Split SplitToSequence Squeeze "             \
    "StringConcat StringNormalizer StringSplit TfIdfVectorizer Tile TopK Transpose Unique Unsqueeze Upsample"

static int compare_tensors(const void *a, const void *b) {
    return compare_texts(((const Tensor *)a)->name, ((const Tensor *)b)->name);
}

static size_t find_tensor(const Network *net, Text name) {
    Tensor key = {.name = name};
    const Tensor *found = net->tensor_count
                              ? bsearch(&key, net->tensors, net->tensor_count, sizeof key, compare_tensors)
                              : NULL;
    check(found != NULL, "RX6003", manifest_path, "nothing makes the tensor %.*s", shown_length(name), name.bytes);
    return (size_t)(found - net->tensors);
}

static void add_tensor(Network *net, Tensor tensor) {
    net->tensors = grow(net->tensors, net->tensor_count, sizeof *net->tensors);
    net->tensors[net->tensor_count++] = tensor;
}

/* The last of the sizes. A scalar counts as 1, which is how it broadcasts. */
static int64_t last_size(const Json *port) {
    const Json *shape = member(port, "shape"), *last = shape->count ? shape->items[shape->count - 1] : NULL;
    return !last ? 1 : last->kind == J_NUMBER ? (int64_t)last->number : ANY_SIZE;
}

/* Inputs or outputs of the graph: a list of {"name", "dtype", "shape"}. */
static const Json *need_ports(const Network *net, const char *key) {
    char dtype[16];
    const Json *ports = need(net->graph, key, J_LIST, manifest_path);
    for (size_t i = 0; i < ports->count; i++) {
        need_text(ports->items[i], "name", manifest_path);
        need_dtype(dtype, ports->items[i], TENSOR_TYPES, "RX2007", manifest_path);
        const Json *shape = need(ports->items[i], "shape", J_LIST, manifest_path);
        for (size_t k = 0; k < shape->count; k++)
            check(shape->items[k]->kind == J_STRING || is_count(shape->items[k], 0, MAX_SAFE), "RX2007", manifest_path,
                  "a size is neither an integer nor a name");
    }
    return ports;
}

static void check_node_attributes(const Json *node) {
    if (!member(node, "attributes")) return;
    const Json *attributes = need(node, "attributes", J_OBJECT, manifest_path);
    for (size_t i = 0; i < attributes->count; i++) {
        const Json *attribute = attributes->items[i];
        bool good = attribute->kind == J_OBJECT && attribute->count == 1;
        const Json *value = good ? attribute->items[0] : attribute;
        bool list = good && is_listed(value->key, "ints floats strings");
        good = good && (list ? value->kind == J_LIST : is_listed(value->key, "int float string"));
        for (size_t k = 0; good && k < (list ? value->count : 1); k++) {
            const Json *item = list ? value->items[k] : value;
            good = item->kind == (value->key.bytes[0] == 's' ? J_STRING : J_NUMBER);
            good = good && (item->integer || value->key.bytes[0] != 'i');
        }
        bool real = is_listed(attribute->key, "alpha beta bias epsilon gamma lambd momentum"); /* wherever they stand */
        bool whole = is_listed(attribute->key, "axis group keepdims storage_order");
        check(good, "RX2007", manifest_path, "an attribute is not one of int, float, string, ints, floats, strings");
        check((!real || is_text(value->key, "float")) && (!whole || is_text(value->key, "int")), "RX6008", manifest_path,
              "the attribute %.*s is of another type", shown_length(attribute->key), attribute->key.bytes);
    }
}

static void check_names(const Json *names) {
    for (size_t i = 0; i < names->count; i++)
        check(names->items[i]->kind == J_STRING, "RX2007", manifest_path, "the name of a tensor is not text");
}

static void parse_node(const Network *net, Node *node, const Json *json) {
    const Json *inputs = need(json, "inputs", J_LIST, manifest_path), *outputs = need(json, "outputs", J_LIST, manifest_path);
    const Json *layer = member(json, "layer");
    *node = (Node){json, need_text(json, "op", manifest_path), NONE, NULL, NULL, inputs->count, outputs->count};
    check_names(inputs), check_names(outputs), check_node_attributes(json);
    bool linear = is_text(node->op, "SparseLinear"), conv = is_text(node->op, "SparseConv");
    check(linear || conv || is_listed(node->op, SHAPE_KEEPERS " " BROADCASTERS " " OTHER_OPERATORS), "RX6002",
          manifest_path, "the operator %.*s is not one of this version", shown_length(node->op), node->op.bytes);
    check((layer != NULL) == (linear || conv), "RX6008", manifest_path, "a sparse operator, and no other, has a `layer`");
    check(!is_listed(node->op, UNARY) || (inputs->count == 1 && outputs->count == 1), "RX6008", manifest_path,
          "the operator %.*s has one input and one output", shown_length(node->op), node->op.bytes);
    if (!layer) return;
    check(is_count(layer, 0, MAX_SAFE), "RX2007", manifest_path, "`layer` is not an index");
    check(layer->number < (double)net->layer_count, "RX6003", manifest_path, "a node applies a layer that is not there");
    node->layer = (size_t)layer->number;
    check(inputs->count == 1 && outputs->count == 1 && inputs->items[0]->text.length && outputs->items[0]->text.length &&
              net->layers[node->layer].conv == conv,
          "RX6008", manifest_path, "a sparse operator has one input, one output and a layer of its kind");
}

/* Every tensor, with what makes it. */
static void collect_tensors(Network *net) {
    const Json *entries = member(net->manifest, "tensors");
    for (size_t i = 0; i < net->inputs->count; i++) {
        const Json *port = net->inputs->items[i];
        add_tensor(net, (Tensor){.name = member(port, "name")->text, .producer = NONE, .shape = member(port, "shape"),
                                 .last = last_size(port), .input = true});
    }
    for (size_t i = 0; i < entries->count; i++) {
        const Json *entry = entries->items[i];
        add_tensor(net, (Tensor){.name = member(entry, "name")->text, .producer = NONE, .entry = entry,
                                 .shape = member(entry, "shape"), .last = last_size(entry)});
    }
    for (size_t n = 0; n < net->node_count; n++) {
        const Json *names = member(net->nodes[n].json, "outputs");
        for (size_t i = 0; i < names->count; i++)
            if (names->items[i]->text.length)
                add_tensor(net, (Tensor){.name = names->items[i]->text, .producer = n, .last = ANY_SIZE});
    }
    if (net->tensor_count) qsort(net->tensors, net->tensor_count, sizeof *net->tensors, compare_tensors);
    for (size_t i = 1; i < net->tensor_count; i++) {
        Text name = net->tensors[i].name;
        check(!same_text(net->tensors[i - 1].name, name), "RX6004", manifest_path, "the tensor %.*s is made twice",
              shown_length(name), name.bytes);
    }
}

static size_t *find_tensors(const Network *net, const Json *names) {
    size_t *tensors = take(names->count, sizeof *tensors);
    for (size_t i = 0; i < names->count; i++)
        tensors[i] = names->items[i]->text.length ? find_tensor(net, names->items[i]->text) : NONE;
    return tensors;
}

/* The node that makes input i of a node, or NONE. */
static size_t producer(const Network *net, const Node *node, size_t i) {
    return node->inputs[i] == NONE ? NONE : net->tensors[node->inputs[i]].producer;
}

/* From every node to what it needs, depth first, with a stack of our own because chains are long. */
static void order_nodes(Network *net) {
    enum { NEW, OPEN, DONE };
    uint8_t *state = take(net->node_count, 1);
    size_t *stack = take(net->node_count, sizeof *stack), *next = take(net->node_count, sizeof *next), done = 0;
    net->order = take(net->node_count, sizeof *net->order);
    for (size_t root = 0; root < net->node_count; root++) {
        size_t height = 0;
        if (state[root] == NEW) stack[height++] = root;
        while (height) {
            size_t n = stack[height - 1];
            if (next[n] == net->nodes[n].input_count) {
                state[n] = DONE;
                net->order[done++] = n;
                height--;
                continue;
            }
            state[n] = OPEN;
            size_t needed = producer(net, &net->nodes[n], next[n]++);
            check(needed == NONE || state[needed] != OPEN, "RX6001", manifest_path, "the graph has a cycle");
            if (needed != NONE && state[needed] == NEW) stack[height++] = needed;
        }
    }
}

/* Some output depends on every node and input, and every layer is used. */
static void check_use(const Network *net) {
    bool *used = take(net->layer_count, sizeof *used);
    for (size_t i = 0; i < net->outputs->count; i++)
        net->tensors[find_tensor(net, member(net->outputs->items[i], "name")->text)].live = true;
    for (size_t k = net->node_count; k-- > 0;) {
        const Node *node = &net->nodes[net->order[k]];
        bool live = false;
        for (size_t i = 0; i < node->output_count; i++)
            live = live || (node->outputs[i] != NONE && net->tensors[node->outputs[i]].live);
        check(live, "RX6007", manifest_path, "no output depends on a node of %.*s", shown_length(node->op), node->op.bytes);
        for (size_t i = 0; i < node->input_count; i++)
            if (node->inputs[i] != NONE) net->tensors[node->inputs[i]].live = true;
        if (node->layer != NONE) used[node->layer] = true;
    }
    for (size_t i = 0; i < net->tensor_count; i++)
        check(net->tensors[i].live || !net->tensors[i].input, "RX6007", manifest_path, "no output depends on input %.*s",
              shown_length(net->tensors[i].name), net->tensors[i].name.bytes);
    for (size_t i = 0; i < net->layer_count; i++)
        check(used[i], "RX6006", net->layers[i].path, "no node uses the layer");
}

static int64_t broadcast(int64_t a, int64_t b) {
    check(a == ANY_SIZE || b == ANY_SIZE || a == b || a == 1 || b == 1, "RX6005", manifest_path,
          "the sizes %lld and %lld do not meet", (long long)a, (long long)b);
    return a == 1 ? b : b == 1 ? a : a == ANY_SIZE ? b : a;
}

/* Channels meet, and every axis has an element, where the shape is known. */
static void check_convolution(const Layer *layer, const Json *shape) {
    const Json *geometry = member(layer->json, "geometry"), *kernel = member(geometry, "kernel_shape");
    const Json *strides = member(geometry, "strides"), *pads = member(geometry, "pads");
    const Json *dilations = member(geometry, "dilations");
    size_t rank = kernel->count;
    if (!shape) return;
    check(shape->count == rank + 2, "RX6005", layer->path, "the convolution is of another rank than its input");
    uint64_t channels = layer->n_in * (uint64_t)member(geometry, "group")->number;
    for (size_t i = 0; i < rank; i++) channels /= count_at(kernel, i);
    check(shape->items[1]->kind == J_STRING || count_at(shape, 1) == channels, "RX6005", layer->path,
          "the convolution has %llu input channels and is given %llu", (Shown)channels, (Shown)count_at(shape, 1));
    for (size_t i = 0; i < rank; i++) {
        Wide reach = (Wide)count_at(dilations, i) * (count_at(kernel, i) - 1) + 1;
        Wide padded = (Wide)count_at(shape, i + 2) + count_at(pads, i) + count_at(pads, i + rank);
        check(shape->items[i + 2]->kind == J_STRING || padded >= reach, "RX6011", layer->path,
              "the convolution yields nothing along axis %zu, whatever its stride %llu", i, (Shown)count_at(strides, i));
    }
}

static int64_t last_size_after(const Network *net, const Node *node) {
    const Tensor *input = node->input_count && node->inputs[0] != NONE ? &net->tensors[node->inputs[0]] : NULL;
    int64_t last = input ? input->last : ANY_SIZE;
    if (is_text(node->op, "SparseLinear")) {
        const Layer *layer = &net->layers[node->layer];
        check(last == ANY_SIZE || last == (int64_t)layer->n_in, "RX6005", layer->path,
              "the layer has %llu inputs and is given %lld", (Shown)layer->n_in, (long long)last);
        return (int64_t)layer->n_out;
    }
    if (is_text(node->op, "SparseConv")) check_convolution(&net->layers[node->layer], input->shape);
    if (!is_listed(node->op, BROADCASTERS)) return is_listed(node->op, SHAPE_KEEPERS) ? last : ANY_SIZE;
    for (size_t i = 1; i < node->input_count; i++)
        last = broadcast(last, node->inputs[i] == NONE ? ANY_SIZE : net->tensors[node->inputs[i]].last);
    return last;
}

static void check_sizes(const Network *net) {
    for (size_t k = 0; k < net->node_count; k++) {
        const Node *node = &net->nodes[net->order[k]];
        int64_t last = last_size_after(net, node);
        if (!node->output_count || node->outputs[0] == NONE) continue;
        net->tensors[node->outputs[0]].last = last;
        if (is_listed(node->op, SHAPE_KEEPERS) && node->input_count && node->inputs[0] != NONE)
            net->tensors[node->outputs[0]].shape = net->tensors[node->inputs[0]].shape;
    }
    for (size_t i = 0; i < net->outputs->count; i++) {
        int64_t declared = last_size(net->outputs->items[i]);
        int64_t made = net->tensors[find_tensor(net, member(net->outputs->items[i], "name")->text)].last;
        check(declared == ANY_SIZE || made == ANY_SIZE || declared == made, "RX6005", manifest_path,
              "an output has %lld elements, not the declared %lld", (long long)made, (long long)declared);
    }
}

/* What profile `chain` promises: one input, one output, and nodes in one line, which no branch joins. */
static void check_chain(const Network *net) {
    const Json *profile = member(net->manifest, "profile");
    bool promised = false, kept = net->inputs->count == 1 && net->outputs->count == 1;
    check(!profile || profile->kind == J_LIST, "RX2007", manifest_path, "`profile` is not a list");
    for (size_t i = 0; profile && i < profile->count; i++)
        promised = promised || (profile->items[i]->kind == J_STRING && is_text(profile->items[i]->text, "chain"));
    size_t before = kept ? find_tensor(net, member(net->inputs->items[0], "name")->text) : NONE;
    for (size_t k = 0; kept && k < net->node_count; k++) {
        const Node *node = &net->nodes[net->order[k]];
        kept = node->input_count && node->output_count && node->inputs[0] == before;
        for (size_t i = 1; i < node->input_count; i++)
            kept = kept && (node->inputs[i] == NONE || net->tensors[node->inputs[i]].entry);
        before = kept ? node->outputs[0] : NONE;
    }
    check(kept || !promised, "RX6009", manifest_path, "the nodes are not in one line, as profile `chain` promises");
}

/* From each node that applies a layer, back to the nearest ones that do. */
static void find_feeds(Network *net) {
    size_t *stack = take(net->node_count, sizeof *stack), *seen = take(net->node_count, sizeof *seen);
    for (size_t n = 0; n < net->node_count; n++) {
        size_t height = 0;
        if (net->nodes[n].layer != NONE) stack[height++] = n;
        while (height) {
            size_t at = stack[--height];
            const Node *node = &net->nodes[at];
            if (at != n && node->layer != NONE) {
                net->feeds = grow(net->feeds, net->feed_count, sizeof *net->feeds);
                net->feeds[net->feed_count++] = (uint64_t)node->layer << 32 | net->nodes[n].layer;
                continue;
            }
            for (size_t i = 0; i < node->input_count; i++) {
                size_t needed = producer(net, node, i);
                if (needed == NONE || seen[needed] == n + 1) continue;
                seen[needed] = n + 1;
                stack[height++] = needed;
            }
        }
    }
    if (net->feed_count) qsort(net->feeds, net->feed_count, sizeof *net->feeds, compare_u64);
}

static void read_graph(Network *net) {
    net->graph = need(net->manifest, "graph", J_OBJECT, manifest_path);
    net->inputs = need_ports(net, "inputs");
    net->outputs = need_ports(net, "outputs");
    const Json *nodes = need(net->graph, "nodes", J_LIST, manifest_path);
    net->node_count = nodes->count;
    net->nodes = take(nodes->count, sizeof *net->nodes);
    for (size_t n = 0; n < nodes->count; n++) parse_node(net, &net->nodes[n], nodes->items[n]);
    collect_tensors(net);
    for (size_t n = 0; n < nodes->count; n++) {
        net->nodes[n].inputs = find_tensors(net, member(nodes->items[n], "inputs"));
        net->nodes[n].outputs = find_tensors(net, member(nodes->items[n], "outputs"));
    }
    order_nodes(net);
    check_use(net);
    check_sizes(net);
    check_chain(net);
    find_feeds(net);
}

/* ---- the digests of the root (§7) ---- */

static Digest hash_topology(const Network *net) {
    Sink sink = start_digest("radixfmt-topology-1");
    bool recipe = false;
    putf(&sink, "{\"feeds\":[");
    for (size_t i = 0; i < net->feed_count; i++)
        if (!i || net->feeds[i] != net->feeds[i - 1])
            putf(&sink, "%s[%u,%u]", i ? "," : "", (unsigned)(net->feeds[i] >> 32), (unsigned)net->feeds[i]);
    putf(&sink, "],\"layers\":[");
    for (size_t i = 0; i < net->layer_count; i++) {
        const Layer *layer = &net->layers[i];
        putf(&sink, "%s{\"pattern\":\"%s\",\"shape\":[%llu,%llu]}", i ? "," : "", layer->digests[PATTERN].text,
             (Shown)layer->n_in, (Shown)layer->n_out);
        recipe = recipe || is_recipe(layer->digests[PATTERN]);
    }
    putf(&sink, "]}");
    return finish_digest(&sink, recipe);
}

static void put_layer_content(Sink *sink, const Layer *layer) {
    static const int order[PARTS] = {BIAS, PATTERN, SCALE, VALUES, ZERO_POINT}; /* of the keys; geometry is second */
    const char *before = "{";
    for (int i = 0; i < PARTS; i++) {
        Digest digest = layer->digests[order[i]];
        if (digest.text[0]) putf(sink, "%s\"%s\":\"%s\"", before, part_names[order[i]], digest.text);
        before = digest.text[0] ? "," : before;
        if (i > 0 || !layer->conv) continue;
        putf(sink, "%s\"geometry\":", before);
        put_json(sink, member(layer->json, "geometry"), "dilations group kernel_shape pads strides");
        before = ",";
    }
    putf(sink, "}");
}

static Digest hash_content(const Network *net) {
    Sink sink = start_digest("radixfmt-content-1");
    bool recipe = false;
    putf(&sink, "{\"graph\":{\"inputs\":");
    put_json(&sink, net->inputs, "dtype name shape");
    putf(&sink, ",\"nodes\":");
    put_json(&sink, member(net->graph, "nodes"), "attributes inputs layer op outputs");
    putf(&sink, ",\"outputs\":");
    put_json(&sink, net->outputs, "dtype name shape");
    putf(&sink, "},\"layers\":[");
    for (size_t i = 0; i < net->layer_count; i++) {
        putf(&sink, i ? "," : "");
        put_layer_content(&sink, &net->layers[i]);
        for (int part = 0; part < PARTS; part++) recipe = recipe || is_recipe(net->layers[i].digests[part]);
    }
    const char *before = "],\"tensors\":{";
    for (size_t i = 0; i < net->tensor_count; i++) {
        if (!net->tensors[i].entry) continue;
        putf(&sink, "%s", before);
        put_string(&sink, net->tensors[i].name);
        putf(&sink, ":");
        put_json(&sink, member(net->tensors[i].entry, "digest"), NULL);
        before = ",";
    }
    putf(&sink, *before == ',' ? "}}" : "],\"tensors\":{}}");
    return finish_digest(&sink, recipe);
}

static Digest hash_extension(const File *file, const char *path) {
    const Block *mark = top_block;
    Dataset d = open_dataset(file, path);
    const void *data = read_dataset(&d);
    Sink sink = start_digest("radixfmt-text-1");
    check(d.dtype || d.rank == 0, "RX1033", path, "texts under /ext are scalar");
    Text text = d.dtype ? text_of("") : without_padding(data, d.size, d.type);
    put(&sink, text.bytes, text.length);
    Digest digest = d.dtype ? hash_dense(d.dtype, d.rank, d.shape, data, false, false) : finish_digest(&sink, false);
    close_dataset(&d);
    give_back_to(mark);
    return digest;
}

static Digest hash_metadata(const Network *net) {
    Sink sink = start_digest("radixfmt-metadata-1");
    const char *before = "";
    putf(&sink, "{\"ext\":{");
    for (size_t i = find_first(&net->file, "/ext/"); name_below(&net->file, i, "/ext/"); i++) {
        if (!net->file.objects[i].dataset) continue;
        Digest digest = hash_extension(&net->file, net->file.objects[i].path);
        putf(&sink, "%s", before);
        put_string(&sink, text_of(name_below(&net->file, i, "/ext/")));
        putf(&sink, ":\"%s\"", digest.text);
        before = ",";
    }
    putf(&sink, "},\"metadata\":");
    put_json(&sink, member(net->manifest, "metadata"), NULL);
    putf(&sink, ",\"names\":[");
    for (size_t i = 0; i < net->layer_count; i++) {
        putf(&sink, i ? "," : "");
        put_string(&sink, net->layers[i].name);
    }
    putf(&sink, "]}");
    return finish_digest(&sink, false);
}

static void compare_root_digest(const File *file, const char *name, Digest computed, const char *code) {
    Text text = find_attribute(file, "/", name);
    check(text.bytes != NULL, "RX8006", "/", "the attribute `%s` is missing", name);
    check_digest(text, name, computed, code, "/");
}

/* ---- what is printed ---- */

/* Beyond 2^53 - 1, where readers of JSON lose digits, as text. */
static void put_integer(Sink *sink, Wide number) {
    char digits[48], *start = digits + sizeof digits - 1;
    const char *quote = number > MAX_SAFE ? "\"" : "";
    *start = 0;
    do *--start = (char)('0' + (int)(number % 10));
    while (number /= 10);
    putf(sink, "%s%s%s", quote, start, quote);
}

static void put_nnz(Sink *sink, Wide nnz, Wide cells) {
    putf(sink, ",\"nnz\":");
    put_integer(sink, nnz);
    putf(sink, ",\"density\":");
    put_number(sink, cells ? (double)((long double)nnz / (long double)cells) : 0);
}

static void put_layer(Sink *sink, const Layer *layer) {
    const char *quote = layer->encoding == TOPOLOGY_ONLY ? "" : "\"";
    putf(sink, "{\"name\":");
    put_string(sink, layer->name);
    putf(sink, ",\"kind\":\"%s\",\"shape\":[%llu,%llu]", layer->conv ? "conv" : "linear", (Shown)layer->n_in,
         (Shown)layer->n_out);
    put_nnz(sink, layer->nnz, (Wide)layer->n_in * layer->n_out);
    putf(sink, ",\"dtype\":%s%s%s,\"encoding\":\"%s\",\"pattern_digest\":\"%s\"}", quote, *quote ? layer->dtype : "null",
         quote, layer->record ? "procedural" : "explicit", layer->digests[PATTERN].text);
}

static void print_info(const Network *net, Digest topology, Digest content, Digest metadata) {
    const Json *name = member(member(net->manifest, "metadata"), "name");
    Sink sink = {.file = stdout};
    Wide nnz = 0, cells = 0;
    putf(&sink, "{\"format_version\":");
    put_string(&sink, net->version);
    putf(&sink, ",\"name\":");
    put_string(&sink, name && name->kind == J_STRING ? name->text : text_of(""));
    putf(&sink, ",\"topology_digest\":\"%s\",\"content_digest\":\"%s\",\"metadata_digest\":\"%s\"", topology.text,
         content.text, metadata.text);
    for (size_t i = 0; i < net->layer_count; i++) {
        nnz += net->layers[i].nnz;
        cells += (Wide)net->layers[i].n_in * net->layers[i].n_out;
    }
    put_nnz(&sink, nnz, cells);
    putf(&sink, ",\"layers\":[");
    for (size_t i = 0; i < net->layer_count; i++) {
        putf(&sink, i ? "," : "");
        put_layer(&sink, &net->layers[i]);
    }
    putf(&sink, "]}\n");
}

/* ---- main ---- */

/* §8, step by step. */
static void read_file(const char *path) {
    Network net = {.file = open_file(path)};
    const File *file = &net.file;
    Text format = find_attribute(file, "/", "format");
    check(format.bytes && is_text(format, "radixfmt"), "RX0201", "/", "the attribute `format` is not radixfmt");
    net.version = find_attribute(file, "/", "format_version");
    check_version(net.version);
    walk_file(&net.file);
    read_manifest(&net);
    read_layers_and_tensors(&net);
    check_features(&net);
    read_graph(&net);
    Digest topology = hash_topology(&net), content = hash_content(&net), metadata = hash_metadata(&net);
    compare_root_digest(file, "topology_digest", topology, "RX8004");
    compare_root_digest(file, "content_digest", content, "RX8005");
    compare_root_digest(file, "metadata_digest", metadata, "RX8008");
    H5Fclose(file->id);
    print_info(&net, topology, content, metadata);
    give_back_to(NULL);
}

/* Bound what libhdf5 takes as well (§9). A sanitizer needs the address space for itself. */
static void limit_process(void) {
    setrlimit(RLIMIT_CPU, &(struct rlimit){MAX_SECONDS, MAX_SECONDS});
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
#ifndef __SANITIZE_ADDRESS__
    setrlimit(RLIMIT_AS, &(struct rlimit){2 * MAX_MEMORY, 2 * MAX_MEMORY});
#endif
}

/* libhdf5 may die of a hostile file, so the file is read by a process that can be lost. */
int main(int count, char **arguments) {
    int status = 0;
    if (count != 2 || arguments[1][0] == '-') {
        fprintf(stderr, "usage: radixfmt_info FILE\n");
        return 2;
    }
    pid_t child = fork();
    if (child == 0) {
        limit_process();
        read_file(arguments[1]);
        return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 2;
    }
    if (child < 0 || waitpid(child, &status, 0) < 0) {
        perror("radixfmt_info");
        return 2;
    }
    check(WIFEXITED(status), "RX0199", arguments[1], "the process that read the file ended by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}
