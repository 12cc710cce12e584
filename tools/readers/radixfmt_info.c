/* radixfmt_info: a second reader of radixfmt files, written from spec/radixfmt-1.0.md alone.
 *
 *     radixfmt_info FILE
 *
 * checks FILE as the specification asks, computes every digest again, and prints what it found as one JSON
 * object. A file that breaks a requirement is refused: exit 1 and `RXnnnn PATH: message` on stderr.
 *
 * The text follows the order in which a file is read: memory, SHA-256, JSON, the container, datasets,
 * generators, layers, the graph, root digests, main. Section numbers are those of the specification.
 */
#define _POSIX_C_SOURCE 200809L
#define H5_USE_110_API 1 /* so that newer releases of libhdf5 serve as well */

#include <hdf5.h>
#include <zlib.h>

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "arrays are hashed as they lie in memory");

#define THIS_MAJOR 1
#define THIS_DRAFT 2 /* 0: a released version */

/* What a stranger's file may cost (§9). */
#define MAX_MEMORY ((size_t)4 << 30)  /* bytes of our own; the process may have as much again for libhdf5 */
#define MAX_SECONDS 600               /* of processor time */
#define MAX_OBJECTS 1000000
#define MAX_DEPTH 8                   /* of groups */
#define MAX_ATTRIBUTES 64
#define MAX_ATTRIBUTE ((size_t)64 << 10)
#define MAX_MANIFEST ((size_t)16 << 20)
#define MAX_CHUNK ((uint64_t)16 << 20)
#define MAX_RANK 8
#define MAX_NEST 32                   /* of JSON */
#define MAX_SIDE ((uint64_t)1 << 40)  /* neurons on one side of a layer */
#define MAX_FAN_IN ((uint64_t)1 << 24)
#define MAX_PLAIN ((uint64_t)1 << 31) /* edges; digests beyond are those of recipes */
#define MAX_SAFE (((uint64_t)1 << 53) - 1)
#define MAX_EXPANDED ((uint64_t)1 << 28) /* neurons and edges, of all layers together, that are made for a file */
#define MAX_PATH 768                  /* 8 groups and a dataset of 64 characters each, and an attribute */

#define NONE SIZE_MAX

__extension__ typedef unsigned __int128 Wide; /* n_in * n_out does not fit 64 bits */

/* ---- refusals and memory ---------------------------------------------------------------------------- */

/* Refuse the file. The process ends at once: libhdf5 is not asked to tidy up after a file it cannot read. */
__attribute__((format(printf, 3, 4))) static _Noreturn void refuse(const char *code, const char *path,
                                                                   const char *format, ...)
{
    char line[MAX_PATH + 512];
    int start = snprintf(line, sizeof line, "%s %.*s: ", code, MAX_PATH, path);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + start, sizeof line - (size_t)start, format, arguments);
    va_end(arguments);
    for (char *c = line; *c; c++) /* names in a hostile file must not reach the terminal as they are */
        if ((unsigned char)*c < 32 || (unsigned char)*c > 126)
            *c = '?';
    fprintf(stderr, "%s\n", line);
    fflush(stderr);
    _exit(1);
}

/* All memory is taken from a stack of blocks, so that it has one bound and is given back layer by layer. */
typedef struct Block {
    struct Block *below;
    size_t size;
    max_align_t data[];
} Block;

static Block *top_block;
static size_t memory_taken;

static void *take(uint64_t count, size_t size)
{
    if (count > (MAX_MEMORY - memory_taken) / size || memory_taken + sizeof(Block) > MAX_MEMORY)
        refuse("RX0199", "/", "the file needs more memory than the reader's limit");
    size_t bytes = sizeof(Block) + (size_t)count * size;
    Block *block = calloc(1, bytes);
    if (!block)
        refuse("RX0199", "/", "out of memory");
    block->below = top_block;
    block->size = bytes;
    top_block = block;
    memory_taken = memory_taken + bytes < MAX_MEMORY ? memory_taken + bytes : MAX_MEMORY;
    return block->data;
}

static void give_back_to(const Block *mark)
{
    while (top_block != mark) {
        Block *below = top_block->below;
        memory_taken -= memory_taken < top_block->size ? memory_taken : top_block->size;
        free(top_block);
        top_block = below;
    }
}

/* Room for one more element in an array that doubles. */
static void *grow(void *items, size_t count, size_t size)
{
    if (count & (count - 1) || (count == 0 && items))
        return items;
    void *larger = take(count ? 2 * count : 1, size);
    if (count)
        memcpy(larger, items, count * size);
    return larger;
}

static uint64_t expanded;

/* Count what is made at the wish of a few bytes; nothing else in a file is larger than the file allows. */
static void charge(const char *code, const char *path, uint64_t neurons_and_edges)
{
    if (neurons_and_edges > MAX_EXPANDED - expanded)
        refuse(code, path, "the layer's pattern is larger than this reader's limit");
    expanded += neurons_and_edges;
}

typedef struct {
    const char *bytes; /* not ended by a zero */
    size_t length;
} Text;

static bool same_text(Text a, Text b)
{
    return a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0;
}

static bool is_text(Text a, const char *b)
{
    return same_text(a, (Text){b, strlen(b)});
}

/* For messages: names may be long. */
static int short_length(Text text)
{
    return text.length < 64 ? (int)text.length : 64;
}

/* Whether the text is one of the words, which single spaces part. */
static bool is_listed(Text text, const char *words)
{
    for (size_t length; *words; words += length + (words[length] == ' ')) {
        length = strcspn(words, " ");
        if (same_text(text, (Text){words, length}))
            return true;
    }
    return false;
}

/* ---- SHA-256 (FIPS 180-4) and what is hashed or printed ---------------------------------------------- */

typedef struct {
    uint32_t state[8];
    uint64_t length;
    uint8_t block[64];
} Sha;

static uint32_t rotate(uint32_t x, int bits)
{
    return x >> bits | x << (32 - bits);
}

static void sha_block(uint32_t state[8], const uint8_t *block)
{
    static const uint32_t k[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 64; i++)
        w[i] = w[i - 16] + (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
               (rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
    memcpy(v, state, sizeof v);
    for (int i = 0; i < 64; i++) { /* instead of moving a to h along, the names move: v[(x - i) % 8] */
#define V(x) v[(unsigned)((x)-i) % 8]
        uint32_t one = V(7) + (rotate(V(4), 6) ^ rotate(V(4), 11) ^ rotate(V(4), 25)) +
                       ((V(4) & V(5)) ^ (~V(4) & V(6))) + k[i] + w[i];
        uint32_t two = (rotate(V(0), 2) ^ rotate(V(0), 13) ^ rotate(V(0), 22)) +
                       ((V(0) & V(1)) ^ (V(0) & V(2)) ^ (V(1) & V(2)));
        V(3) += one;
        V(7) = one + two;
#undef V
    }
    for (int i = 0; i < 8; i++)
        state[i] += v[i];
}

/* Where text and numbers go: to a digest, or to a file if there is one. */
typedef struct {
    Sha sha;
    FILE *file;
} Sink;

static void put(Sink *sink, const void *data, size_t length)
{
    if (sink->file) {
        fwrite(data, 1, length, sink->file);
        return;
    }
    const uint8_t *bytes = data;
    size_t used = sink->sha.length % 64;
    sink->sha.length += length;
    while (used + length >= 64) {
        const uint8_t *block = bytes;
        size_t part = 64 - used;
        if (used) {
            memcpy(sink->sha.block + used, bytes, part);
            block = sink->sha.block;
        }
        sha_block(sink->sha.state, block);
        bytes += part;
        length -= part;
        used = 0;
    }
    if (length)
        memcpy(sink->sha.block + used, bytes, length);
}

static void put_text(Sink *sink, const char *text)
{
    put(sink, text, strlen(text));
}

static void put_u64(Sink *sink, uint64_t number)
{
    put(sink, &number, sizeof number);
}

static Sink start_digest(const char *domain)
{
    Sink sink = {.sha.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
                               0x1f83d9ab, 0x5be0cd19}};
    put_text(&sink, domain);
    return sink;
}

typedef struct {
    char text[72]; /* "rx1:" or "rx1r:" and 64 hexadecimal digits */
} Digest;

static bool rests_on_recipe(Digest digest)
{
    return digest.text[3] == 'r';
}

static Digest finish_digest(Sink *sink, bool recipe)
{
    uint64_t bits = sink->sha.length * 8;
    uint8_t end[8];
    for (int i = 0; i < 8; i++)
        end[i] = (uint8_t)(bits >> (56 - 8 * i));
    put(sink, "\x80", 1);
    while (sink->sha.length % 64 != 56)
        put(sink, "", 1);
    put(sink, end, 8);
    Digest digest;
    int at = snprintf(digest.text, sizeof digest.text, "%s", recipe ? "rx1r:" : "rx1:");
    for (int i = 0; i < 8; i++, at += 8)
        snprintf(digest.text + at, sizeof digest.text - (size_t)at, "%08x", (unsigned)sink->sha.state[i]);
    return digest;
}

/* ---- JSON: a strict parser (§3) and a writer of RFC 8785 form ----------------------------------------- */

typedef enum { J_NULL, J_BOOL, J_NUMBER, J_STRING, J_LIST, J_OBJECT } Kind;

typedef struct Json {
    Kind kind;
    bool truth;
    bool integer;        /* a number without fraction and exponent: it is within 2^53 - 1 */
    double number;
    Text text;           /* of a string */
    Text key;            /* of a member of an object */
    struct Json **items; /* of a list, or of an object in the order of RFC 8785 */
    size_t count;
} Json;

/* A zero byte stands at `end`, so that looking one byte ahead is always allowed. */
typedef struct {
    const char *at, *end;
    const char *path;
    int depth;
} Parser;

/* The length of the UTF-8 character at `c`, or 0 if there is none. */
static int utf8_length(const uint8_t *c)
{
    if (c[0] < 0x80)
        return 1;
    int length = c[0] < 0xC2 ? 0 : c[0] < 0xE0 ? 2 : c[0] < 0xF0 ? 3 : c[0] < 0xF5 ? 4 : 0;
    for (int i = 1; i < length; i++)
        if ((c[i] & 0xC0) != 0x80)
            return 0;
    bool overlong = (c[0] == 0xE0 && c[1] < 0xA0) || (c[0] == 0xF0 && c[1] < 0x90);
    bool outside = (c[0] == 0xED && c[1] > 0x9F) || (c[0] == 0xF4 && c[1] > 0x8F);
    return overlong || outside ? 0 : length;
}

/* A zero byte follows the text. */
static bool is_utf8(Text text)
{
    for (size_t i = 0; i < text.length;) {
        int length = utf8_length((const uint8_t *)text.bytes + i);
        if (!length)
            return false;
        i += (size_t)length;
    }
    return true;
}

static _Noreturn void bad_syntax(const Parser *p)
{
    refuse("RX2003", p->path, "this is not JSON, %zu bytes before its end", (size_t)(p->end - p->at));
}

static void skip_space(Parser *p)
{
    while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r')
        p->at++;
}

static bool accept(Parser *p, const char *token)
{
    size_t length = strlen(token);
    bool found = (size_t)(p->end - p->at) >= length && memcmp(p->at, token, length) == 0;
    p->at += found ? length : 0;
    return found;
}

static uint32_t parse_hex4(Parser *p)
{
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++, p->at++) {
        char c = *p->at;
        if (c >= '0' && c <= '9')
            unit = unit << 4 | (uint32_t)(c - '0');
        else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
            unit = unit << 4 | (uint32_t)((c | 32) - 'a' + 10);
        else
            bad_syntax(p);
    }
    return unit;
}

/* \uXXXX, or a pair of them, as UTF-8 of one to four bytes. */
static size_t parse_code_point(Parser *p, char *out)
{
    static const uint32_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    uint32_t c = parse_hex4(p);
    if (c >= 0xD800 && c < 0xE000) {
        uint32_t low = c < 0xDC00 && accept(p, "\\u") ? parse_hex4(p) : 0;
        if (low < 0xDC00 || low >= 0xE000)
            refuse("RX2010", p->path, "a string holds half of a surrogate pair");
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    }
    size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = length; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)(lead[length] | c);
    return length;
}

static Text parse_string(Parser *p)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    if (!accept(p, "\""))
        bad_syntax(p);
    size_t room = 1; /* no escape is shorter than its character */
    for (const char *c = p->at; c < p->end && *c != '"'; c++, room++)
        if (*c == '\\' && c + 1 < p->end)
            c++, room++;
    char *out = take(room, 1);
    size_t length = 0;
    while (!accept(p, "\"")) {
        if ((unsigned char)*p->at < 32)
            bad_syntax(p); /* also at the end of the text */
        if (!accept(p, "\\")) {
            out[length++] = *p->at++;
        } else if (accept(p, "u")) {
            length += parse_code_point(p, out + length);
        } else {
            const char *letter = *p->at ? strchr(letters, *p->at) : NULL;
            if (!letter)
                bad_syntax(p);
            out[length++] = meanings[letter - letters];
            p->at++;
        }
    }
    return (Text){out, length};
}

static void skip_digits(Parser *p)
{
    if (*p->at < '0' || *p->at > '9')
        bad_syntax(p);
    while (*p->at >= '0' && *p->at <= '9')
        p->at++;
}

static void parse_number(Parser *p, Json *json)
{
    const char *start = p->at;
    accept(p, "-");
    if (accept(p, "Infinity") || accept(p, "NaN"))
        refuse("RX2005", p->path, "a number is not finite");
    if (!accept(p, "0"))
        skip_digits(p);
    json->integer = true;
    if (accept(p, "."))
        json->integer = false, skip_digits(p);
    if (accept(p, "e") || accept(p, "E")) {
        json->integer = false;
        if (!accept(p, "+"))
            accept(p, "-");
        skip_digits(p);
    }
    json->number = strtod(start, NULL);
    if (!isfinite(json->number))
        refuse("RX2005", p->path, "a number is not finite");
    if (json->integer && fabs(json->number) > (double)MAX_SAFE)
        refuse("RX2005", p->path, "an integer is larger than 2^53 - 1");
}

/* RFC 8785 sorts by UTF-16 units: as bytes of UTF-8 do, but for U+E000 to U+FFFF, which come last. */
static int compare_keys(Text a, Text b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    for (size_t i = 0; i < shorter; i++) {
        int x = (unsigned char)a.bytes[i], y = (unsigned char)b.bytes[i];
        if (x != y)
            return (x == 0xEE || x == 0xEF ? x + 16 : x) - (y == 0xEE || y == 0xEF ? y + 16 : y);
    }
    return (a.length > b.length) - (a.length < b.length);
}

static int compare_members(const void *a, const void *b)
{
    return compare_keys((*(Json *const *)a)->key, (*(Json *const *)b)->key);
}

static Json *parse_value(Parser *p);

static void parse_items(Parser *p, Json *json, const char *close)
{
    if (++p->depth > MAX_NEST)
        refuse("RX2006", p->path, "JSON nests deeper than %d", MAX_NEST);
    skip_space(p);
    for (bool done = accept(p, close); !done; json->count++) {
        Text key = {"", 0};
        skip_space(p);
        if (json->kind == J_OBJECT) {
            key = parse_string(p);
            skip_space(p);
            if (!accept(p, ":"))
                bad_syntax(p);
        }
        json->items = grow(json->items, json->count, sizeof *json->items);
        json->items[json->count] = parse_value(p);
        json->items[json->count]->key = key;
        done = accept(p, close);
        if (!done && !accept(p, ","))
            bad_syntax(p);
    }
    p->depth--;
    if (json->kind != J_OBJECT || !json->count)
        return;
    qsort(json->items, json->count, sizeof *json->items, compare_members);
    for (size_t i = 1; i < json->count; i++)
        if (compare_members(&json->items[i - 1], &json->items[i]) == 0)
            refuse("RX2004", p->path, "the key \"%.*s\" stands twice in an object",
                   short_length(json->items[i]->key), json->items[i]->key.bytes);
}

static Json *parse_value(Parser *p)
{
    Json *json = take(1, sizeof *json);
    skip_space(p);
    if (*p->at == '"')
        json->kind = J_STRING, json->text = parse_string(p);
    else if (accept(p, "{"))
        json->kind = J_OBJECT, parse_items(p, json, "}");
    else if (accept(p, "["))
        json->kind = J_LIST, parse_items(p, json, "]");
    else if (accept(p, "true"))
        json->kind = J_BOOL, json->truth = true;
    else if (accept(p, "false"))
        json->kind = J_BOOL;
    else if (!accept(p, "null"))
        json->kind = J_NUMBER, parse_number(p, json);
    skip_space(p);
    return json;
}

static Json *parse_json(Text text, const char *path)
{
    char *copy = take(text.length + 1, 1);
    memcpy(copy, text.bytes, text.length);
    if (!is_utf8((Text){copy, text.length}))
        refuse("RX2002", path, "the text is not UTF-8");
    Parser parser = {.at = copy, .end = copy + text.length, .path = path};
    Json *json = parse_value(&parser);
    if (parser.at != parser.end)
        bad_syntax(&parser);
    if (json->kind != J_OBJECT)
        refuse("RX2003", path, "the text is not a JSON object");
    return json;
}

static const Json *member(const Json *object, const char *key)
{
    for (size_t i = 0; i < object->count; i++)
        if (is_text(object->items[i]->key, key))
            return object->items[i];
    return NULL;
}

static const Json *need(const Json *object, const char *key, Kind kind, const char *path)
{
    const Json *json = member(object, key);
    if (!json || json->kind != kind)
        refuse("RX2007", path, "the member `%s` is missing or of the wrong type", key);
    return json;
}

static bool is_count(const Json *json, uint64_t least, uint64_t most)
{
    return json->kind == J_NUMBER && json->integer && json->number >= (double)least &&
           json->number <= (double)most;
}

static void put_string(Sink *sink, Text text)
{
    static const char letters[] = "\"\\bfnrt", meanings[] = "\"\\\b\f\n\r\t";
    put_text(sink, "\"");
    for (size_t i = 0; i < text.length; i++) {
        char c = text.bytes[i], escape[8];
        const char *meaning = c ? strchr(meanings, c) : NULL;
        if (meaning)
            put(sink, (char[]){'\\', letters[meaning - meanings]}, 2);
        else if ((unsigned char)c < 32)
            put(sink, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)c));
        else
            put(sink, &c, 1);
    }
    put_text(sink, "\"");
}

/* The shortest decimal that rounds to the number: digits and the power of ten of the first one. */
static int shortest_digits(double number, char digits[24])
{
    for (int count = 1;; count++) {
        char text[40];
        unsigned long long whole = 0;
        snprintf(text, sizeof text, "%.*e", count - 1, number);
        int power = atoi(strchr(text, 'e') + 1);
        for (const char *c = text; *c != 'e'; c++)
            whole = *c == '.' ? whole : 10 * whole + (unsigned long long)(*c - '0');
        /* Above a power of two the neighbour is farther, and the digits to round up to may do. */
        for (unsigned long long candidate = whole; candidate <= whole + 1; candidate++) {
            snprintf(text, sizeof text, "%llue%d", candidate, power - count + 1);
            if (strtod(text, NULL) != number && count < 17)
                continue;
            int length = snprintf(digits, 24, "%llu", candidate);
            power += length - count;
            while (length > 1 && digits[length - 1] == '0')
                digits[--length] = 0;
            return power;
        }
    }
}

/* Number::toString of ECMAScript, as RFC 8785 asks. */
static void put_number(Sink *sink, double number)
{
    char digits[24];
    if (number == 0) {
        put_text(sink, "0");
        return;
    }
    int power = shortest_digits(fabs(number), digits), count = (int)strlen(digits);
    if (number < 0)
        put_text(sink, "-");
    if (power < -6 || power >= 21) {
        char exponent[16];
        put(sink, digits, 1);
        if (count > 1)
            put_text(sink, "."), put_text(sink, digits + 1);
        put(sink, exponent, (size_t)snprintf(exponent, sizeof exponent, "e%+d", power));
        return;
    }
    if (power < 0)
        put(sink, "0.000000", (size_t)(1 - power));
    for (int i = 0; i < count || i <= power; i++) {
        if (i == power + 1 && power >= 0)
            put_text(sink, ".");
        put(sink, i < count ? &digits[i] : "0", 1);
    }
}

/* `only`: the members of the outermost object (or of the objects in the outermost list) to write; NULL for all. */
static void put_json(Sink *sink, const Json *json, const char *only)
{
    bool object = json->kind == J_OBJECT, first = true;
    switch (json->kind) {
    case J_NULL: put_text(sink, "null"); return;
    case J_BOOL: put_text(sink, json->truth ? "true" : "false"); return;
    case J_NUMBER: put_number(sink, json->number); return;
    case J_STRING: put_string(sink, json->text); return;
    case J_LIST: case J_OBJECT: break;
    }
    put_text(sink, object ? "{" : "[");
    for (size_t i = 0; i < json->count; i++) {
        const Json *item = json->items[i];
        if (object && only && !is_listed(item->key, only))
            continue;
        if (!first)
            put_text(sink, ",");
        first = false;
        if (object)
            put_string(sink, item->key), put_text(sink, ":");
        put_json(sink, item, object ? NULL : only);
    }
    put_text(sink, object ? "}" : "]");
}

/* ---- the container (§2): the first bytes, objects, attributes ------------------------------------------ */

typedef struct {
    const char *path;
    haddr_t address;
    bool dataset;
} Object;

typedef struct {
    hid_t id;
    uint64_t size;
    uint64_t declared; /* bytes of all datasets */
    Object *objects;   /* sorted by path after the walk */
    size_t count;
} File;

static uint64_t read_u64(const uint8_t *bytes)
{
    uint64_t number;
    memcpy(&number, bytes, sizeof number);
    return number;
}

/* libhdf5 sees the file only if its superblock is one that it checks well itself. */
static uint64_t check_superblock(const char *path)
{
    static const uint8_t signature[8] = {0x89, 'H', 'D', 'F', 13, 10, 26, 10};
    struct stat status;
    uint8_t head[48] = {0};
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
        refuse("RX0106", path, "this is not a regular file");
    FILE *stream = fopen(path, "rb");
    if (!stream)
        refuse("RX0106", path, "the file cannot be opened");
    size_t length = fread(head, 1, sizeof head, stream);
    fclose(stream);
    uint64_t size = (uint64_t)status.st_size;
    if (length < sizeof signature || memcmp(head, signature, sizeof signature) != 0)
        refuse("RX0101", path, "the file does not begin with the HDF5 signature");
    if (length >= 9 && head[8] != 2 && head[8] != 3)
        refuse("RX0104", path, "the superblock is of version %d, not 2 or 3", head[8]);
    if (length < sizeof head || read_u64(head + 28) > size)
        refuse("RX0102", path, "the file has been cut");
    if (head[9] != 8 || read_u64(head + 12) != 0)
        refuse("RX0104", path, "offsets are not of 8 bytes, or the base address is not 0");
    if (head[8] == 3 && head[11] & 1)
        refuse("RX0107", path, "the file is open for writing, or its writer did not finish");
    if (read_u64(head + 28) < size)
        refuse("RX0103", path, "bytes follow the end of the HDF5 file");
    return size;
}

/* A fixed-length string type of ASCII or UTF-8, padded or ended by zeros. */
static bool is_string_type(hid_t type)
{
    H5T_str_t padding = H5Tget_strpad(type);
    H5T_cset_t set = H5Tget_cset(type);
    return H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 &&
           (padding == H5T_STR_NULLPAD || padding == H5T_STR_NULLTERM) &&
           (set == H5T_CSET_ASCII || set == H5T_CSET_UTF8);
}

static Text without_padding(const char *bytes, size_t length, hid_t type)
{
    if (H5Tget_strpad(type) == H5T_STR_NULLTERM)
        return (Text){bytes, strnlen(bytes, length)};
    while (length && !bytes[length - 1])
        length--;
    return (Text){bytes, length};
}

static Text read_attribute(hid_t attribute, const char *path)
{
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    if (type < 0 || space < 0)
        refuse("RX0108", path, "an attribute cannot be read");
    if (H5Tcommitted(type) > 0)
        refuse("RX1031", path, "the type of an attribute is committed");
    size_t size = H5Tget_size(type);
    if (size > MAX_ATTRIBUTE || H5Aget_storage_size(attribute) > MAX_ATTRIBUTE)
        refuse("RX1041", path, "an attribute has more than 64 KiB");
    if (!is_string_type(type) || H5Sget_simple_extent_type(space) != H5S_SCALAR)
        refuse("RX1042", path, "an attribute is not one fixed-length UTF-8 string");
    char *bytes = take(size + 1, 1);
    if (H5Aread(attribute, type, bytes) < 0)
        refuse("RX0108", path, "an attribute cannot be read");
    Text text = without_padding(bytes, size, type);
    if (!is_utf8(text))
        refuse("RX1042", path, "an attribute is not UTF-8");
    H5Tclose(type);
    H5Sclose(space);
    return text;
}

/* The attribute's text; its `bytes` are NULL if there is no such attribute. */
static Text find_attribute(const File *file, const char *path, const char *name)
{
    Text text = {NULL, 0};
    htri_t exists = H5Aexists_by_name(file->id, path, name, H5P_DEFAULT);
    hid_t attribute = exists > 0 ? H5Aopen_by_name(file->id, path, name, H5P_DEFAULT, H5P_DEFAULT) : -1;
    if (exists < 0 || (exists > 0 && attribute < 0))
        refuse("RX0108", path, "an attribute cannot be read");
    if (exists > 0)
        text = read_attribute(attribute, path), H5Aclose(attribute);
    return text;
}

static void check_attributes(hid_t object, hsize_t count, const char *path)
{
    if (count > MAX_ATTRIBUTES)
        refuse("RX1041", path, "the object has more than %d attributes", MAX_ATTRIBUTES);
    const Block *mark = top_block;
    for (hsize_t i = 0; i < count; i++) {
        hid_t attribute = H5Aopen_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_NATIVE, i, H5P_DEFAULT, H5P_DEFAULT);
        if (attribute < 0)
            refuse("RX0108", path, "an attribute cannot be read");
        read_attribute(attribute, path);
        H5Aclose(attribute);
    }
    give_back_to(mark);
}

/* ---- datasets (§2): types, layout, chunks --------------------------------------------------------------- */

enum { SHUFFLE = 1, DEFLATE = 2, FLETCHER32 = 4 };

typedef struct {
    hid_t id, type;
    char path[MAX_PATH];
    const char *dtype; /* NULL for a string */
    size_t size;       /* of an element */
    uint64_t count;
    int rank;
    hsize_t shape[MAX_RANK], chunk[MAX_RANK];
    bool chunked;
    int filters;
} Dataset;

static size_t dtype_size(const char *dtype)
{
    const char *digits = dtype + strcspn(dtype, "0123456789");
    return *digits ? (size_t)atoi(digits) / 8 : 1; /* a bool is a byte */
}

static const char *integer_name(hid_t type)
{
    static const char *const names[2][9] = {
        {NULL, "uint8", "uint16", NULL, "uint32", NULL, NULL, NULL, "uint64"},
        {NULL, "int8", "int16", NULL, "int32", NULL, NULL, NULL, "int64"}};
    size_t size = H5Tget_size(type);
    H5T_sign_t sign = H5Tget_sign(type);
    bool plain = size <= 8 && H5Tget_precision(type) == 8 * size && H5Tget_offset(type) == 0 &&
                 (size == 1 || H5Tget_order(type) == H5T_ORDER_LE) && (sign == H5T_SGN_NONE || sign == H5T_SGN_2);
    return plain ? names[sign == H5T_SGN_2][size] : NULL;
}

static const char *float_name(hid_t type)
{
    static const struct {
        const char *name;
        size_t size, exponent_bits, mantissa_bits, bias;
    } floats[] = {{"float16", 2, 5, 10, 15},
                  {"bfloat16", 2, 8, 7, 127},
                  {"float32", 4, 8, 23, 127},
                  {"float64", 8, 11, 52, 1023}};
    size_t sign, exponent, exponent_bits, mantissa, mantissa_bits;
    if (H5Tget_fields(type, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits) < 0 ||
        H5Tget_order(type) != H5T_ORDER_LE || H5Tget_norm(type) != H5T_NORM_IMPLIED || H5Tget_offset(type) != 0)
        return NULL;
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
        if (H5Tget_size(type) == floats[i].size && H5Tget_precision(type) == 8 * floats[i].size &&
            sign == 8 * floats[i].size - 1 && mantissa == 0 && exponent == mantissa_bits &&
            mantissa_bits == floats[i].mantissa_bits && exponent_bits == floats[i].exponent_bits &&
            H5Tget_ebias(type) == floats[i].bias)
            return floats[i].name;
    return NULL;
}

static void check_type(Dataset *d)
{
    H5T_class_t class = H5Tget_class(d->type);
    bool string = class == H5T_STRING && is_string_type(d->type);
    if (H5Tcommitted(d->type) > 0 || (class != H5T_INTEGER && class != H5T_FLOAT && !string))
        refuse("RX1031", d->path, "the type is not an integer, a float or a fixed-length UTF-8 string");
    d->dtype = class == H5T_INTEGER ? integer_name(d->type) : class == H5T_FLOAT ? float_name(d->type) : NULL;
    if (!string && !d->dtype)
        refuse("RX1032", d->path, "the numbers are not little-endian of a standard type");
    d->size = H5Tget_size(d->type);
}

/* Rank, shape and the number of elements, which fits the file: bytes are at most 1100 times its size. */
static void check_shape(Dataset *d, const File *file)
{
    hid_t space = H5Dget_space(d->id);
    bool deep = strncmp(d->path, "/tensors/", 9) == 0 || strncmp(d->path, "/ext/", 5) == 0;
    hsize_t largest[MAX_RANK];
    d->rank = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    if (d->rank < 0)
        refuse("RX0108", d->path, "the dataset's shape cannot be read");
    if (d->rank > (deep ? MAX_RANK : 1) || H5Sget_simple_extent_type(space) == H5S_NULL)
        refuse("RX1033", d->path, "the dataset's rank is not allowed here");
    if (H5Sget_simple_extent_dims(space, d->shape, largest) < 0)
        refuse("RX0108", d->path, "the dataset's shape cannot be read");
    Wide count = 1;
    bool empty = false;
    for (int i = 0; i < d->rank; i++) {
        if (largest[i] != d->shape[i])
            refuse("RX1022", d->path, "the dataset can grow");
        empty = empty || !d->shape[i];
    }
    for (int i = 0; i < d->rank && !empty; i++)
        if ((count *= d->shape[i]) * d->size > (Wide)1100 * file->size)
            refuse("RX1020", d->path, "the dataset declares more bytes than the file can hold");
    d->count = empty ? 0 : (uint64_t)count;
    H5Sclose(space);
}

static void check_filters(Dataset *d, hid_t plist)
{
    static const H5Z_filter_t order[] = {H5Z_FILTER_SHUFFLE, H5Z_FILTER_DEFLATE, H5Z_FILTER_FLETCHER32};
    int count = H5Pget_nfilters(plist), place = 0;
    for (int i = 0; i < count; i++, place++) {
        unsigned flags, values[8] = {0};
        size_t length = 8;
        H5Z_filter_t filter = H5Pget_filter2(plist, (unsigned)i, &flags, &length, values, 0, NULL, NULL);
        while (place < 3 && order[place] != filter)
            place++;
        if (place == 3)
            refuse("RX1013", d->path, "filters are not shuffle, deflate, fletcher32, in this order");
        if (filter == H5Z_FILTER_SHUFFLE && values[0] != d->size)
            refuse("RX1013", d->path, "shuffle is not by the size of an element");
        d->filters |= 1 << place;
    }
}

static void check_layout(Dataset *d, const File *file)
{
    hid_t plist = H5Dget_create_plist(d->id);
    if (plist < 0)
        refuse("RX0108", d->path, "the dataset's layout cannot be read");
    if (H5Pget_external_count(plist) != 0)
        refuse("RX1011", d->path, "the data lie in another file");
    H5D_layout_t layout = H5Pget_layout(plist);
    if (layout == H5D_VIRTUAL)
        refuse("RX1012", d->path, "the dataset is virtual");
    d->chunked = layout == H5D_CHUNKED;
    check_type(d);
    check_shape(d, file);
    check_filters(d, plist);
    Wide bytes = d->size;
    if (d->chunked && H5Pget_chunk(plist, MAX_RANK, d->chunk) != d->rank)
        refuse("RX1014", d->path, "chunks are not of the dataset's rank");
    for (int i = 0; i < d->rank && d->chunked && bytes <= MAX_CHUNK; i++)
        bytes *= d->chunk[i];
    if (d->chunked && (bytes > MAX_CHUNK || bytes == 0))
        refuse("RX1014", d->path, "a chunk has more than 16 MiB");
    unsigned options = 0;
    if (d->chunked && d->filters && (H5Pget_chunk_opts(plist, &options) < 0 || options))
        refuse("RX1021", d->path, "chunks at the edge skip the filters");
    if (!d->filters && d->count * d->size > file->size)
        refuse("RX1020", d->path, "the dataset declares more bytes than the file has");
    H5D_fill_value_t status;
    if (H5Pfill_value_defined(plist, &status) < 0)
        refuse("RX0108", d->path, "the fill value cannot be read");
    if (status == H5D_FILL_VALUE_USER_DEFINED) {
        char *fill = take(d->size, 1);
        if (H5Pget_fill_value(plist, d->type, fill) < 0)
            refuse("RX0108", d->path, "the fill value cannot be read");
        for (size_t i = 0; i < d->size; i++)
            if (fill[i])
                refuse("RX1023", d->path, "the fill value is not zero");
    }
    H5Pclose(plist);
}

static Dataset open_dataset(const File *file, const char *path)
{
    Dataset d = {.id = H5Dopen2(file->id, path, H5P_DEFAULT)};
    snprintf(d.path, sizeof d.path, "%s", path);
    d.type = d.id < 0 ? -1 : H5Dget_type(d.id);
    if (d.type < 0)
        refuse("RX0108", path, "the dataset cannot be opened");
    check_layout(&d, file);
    return d;
}

static void close_dataset(const Dataset *d)
{
    H5Tclose(d->type);
    H5Dclose(d->id);
}

static uint32_t fletcher32(const uint8_t *data, size_t length)
{
    uint32_t one = 0, two = 0;
    for (size_t i = 0; i < length; i += 2) { /* big-endian units of 16 bits, the last one filled up with zero */
        one += (uint32_t)data[i] << 8 | (i + 1 < length ? data[i + 1] : 0);
        one = (one & 0xFFFF) + (one >> 16); /* not % 65535: HDF5 writes a sum of 65535 as it is */
        two += one;
        two = (two & 0xFFFF) + (two >> 16);
    }
    return two << 16 | one;
}

/* One zlib stream into exactly `room` bytes, with nothing after it. */
static void inflate_chunk(const Dataset *d, uint8_t *stored, size_t length, uint8_t *out, size_t room)
{
    uint8_t beyond;
    z_stream z = {.next_in = stored, .avail_in = (uInt)length, .next_out = out, .avail_out = (uInt)room};
    if (inflateInit(&z) != Z_OK)
        refuse("RX0199", d->path, "out of memory");
    int state = inflate(&z, Z_FINISH);
    if (state == Z_BUF_ERROR && z.avail_out == 0) { /* full: is this the end? */
        z.next_out = &beyond;
        z.avail_out = 1;
        state = inflate(&z, Z_FINISH);
        if (z.avail_out == 0)
            refuse("RX1016", d->path, "a chunk decodes to more than its size");
        z.avail_out = 0;
    }
    if (state != Z_STREAM_END)
        refuse("RX1018", d->path, "a chunk does not decode");
    if (z.avail_out || z.avail_in)
        refuse("RX1017", d->path, "a chunk decodes to less than its size, or bytes follow its stream");
    inflateEnd(&z);
}

static void unshuffle(const uint8_t *in, uint8_t *out, size_t bytes, size_t size)
{
    size_t count = bytes / size;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < size; k++)
            out[i * size + k] = in[k * count + i];
}

/* Undo the filters, last one first. `work` has room for a decoded chunk; returns where the chunk lies. */
static uint8_t *decode_chunk(const Dataset *d, uint8_t *stored, size_t length, uint8_t *work, size_t bytes)
{
    if (d->filters & FLETCHER32) {
        uint32_t sum = 0;
        if (length < sizeof sum)
            refuse("RX1017", d->path, "a chunk is shorter than its checksum");
        length -= sizeof sum;
        memcpy(&sum, stored + length, sizeof sum);
        if (fletcher32(stored, length) != sum)
            refuse("RX1019", d->path, "the checksum of a chunk is wrong");
    }
    if (d->filters & DEFLATE) {
        inflate_chunk(d, stored, length, work, bytes);
        uint8_t *decoded = work;
        work = stored;
        stored = decoded;
    } else if (length != bytes) {
        refuse(length > bytes ? "RX1016" : "RX1017", d->path, "a chunk is not of its size");
    }
    if (!(d->filters & SHUFFLE))
        return stored;
    unshuffle(stored, work, bytes, d->size);
    return work;
}

/* Step an index through the box below `limit`, last axis first; false after the last place. */
static bool advance(hsize_t *index, const hsize_t *step, const hsize_t *limit, int rank)
{
    for (int i = rank; i-- > 0; index[i] = 0)
        if ((index[i] += step[i]) < limit[i])
            return true;
    return false;
}

/* Copy what of a chunk lies inside the dataset, row by row of the last axis. */
static void scatter(const Dataset *d, const hsize_t *corner, const uint8_t *chunk, uint8_t *out)
{
    static const hsize_t one[MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    hsize_t part[MAX_RANK], index[MAX_RANK] = {0};
    for (int i = 0; i < d->rank; i++)
        part[i] = d->shape[i] - corner[i] < d->chunk[i] ? d->shape[i] - corner[i] : d->chunk[i];
    do {
        uint64_t to = 0, from = 0;
        for (int i = 0; i < d->rank; i++) {
            to = to * d->shape[i] + corner[i] + index[i];
            from = from * d->chunk[i] + index[i];
        }
        memcpy(out + to * d->size, chunk + from * d->size, part[d->rank - 1] * d->size);
    } while (advance(index, one, part, d->rank - 1));
}

/* libhdf5 finds the chunks, but does not decode them: its filters trust the sizes that a stream claims. */
static void read_chunks(const Dataset *d, uint8_t *out)
{
    size_t bytes = d->size;
    for (int i = 0; i < d->rank; i++)
        bytes *= d->chunk[i];
    size_t room = bytes + bytes / 8 + 64; /* deflate makes nothing larger than this */
    uint8_t *stored = take(room, 1), *work = take(bytes, 1);
    hsize_t corner[MAX_RANK] = {0};
    do {
        hsize_t length = 0;
        uint32_t skipped = 0;
        if (H5Dget_chunk_storage_size(d->id, corner, &length) < 0)
            refuse("RX0108", d->path, "the index of chunks cannot be read");
        if (length == 0)
            refuse("RX1015", d->path, "a chunk is not there");
        if (length > room)
            refuse("RX1017", d->path, "a chunk is stored in more bytes than it can need");
        if (H5Dread_chunk(d->id, H5P_DEFAULT, corner, &skipped, stored) < 0)
            refuse("RX1018", d->path, "a chunk cannot be read");
        if (skipped)
            refuse("RX1021", d->path, "a chunk skips a filter");
        scatter(d, corner, decode_chunk(d, stored, length, work, bytes), out);
    } while (advance(corner, d->chunk, d->shape, d->rank));
}

/* All elements, in C order. */
static void *read_all(const Dataset *d)
{
    uint8_t *out = take(d->count, d->size);
    if (!d->count)
        return out;
    const Block *mark = top_block;
    if (d->chunked) {
        read_chunks(d, out);
    } else {
        if (H5Dget_storage_size(d->id) != d->count * d->size)
            refuse("RX1015", d->path, "the data are not there");
        if (H5Dread(d->id, d->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) < 0)
            refuse("RX1018", d->path, "the data cannot be read");
    }
    give_back_to(mark);
    return out;
}

/* ---- the walk over all objects (§2) ---------------------------------------------------------------------- */

typedef struct {
    File *file;
    char path[MAX_PATH];
    int depth;
    haddr_t above[MAX_DEPTH + 1]; /* the groups that hold what is looked at */
} Walk;

static void check_name(const char *path, const char *name)
{
    size_t length = strlen(name);
    bool plain = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == length && length >= 1 && length <= 64;
    if (!plain || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        refuse("RX1007", path, "the name \"%.64s\" is not allowed", name);
}

static void check_link(const char *path, const char *name, H5L_type_t type)
{
    if (type == H5L_TYPE_SOFT)
        refuse("RX1001", path, "\"%.64s\" is a soft link", name);
    if (type == H5L_TYPE_EXTERNAL)
        refuse("RX1002", path, "\"%.64s\" is an external link", name);
    if (type != H5L_TYPE_HARD)
        refuse("RX1003", path, "\"%.64s\" is a user-defined link", name);
}

static void walk_object(Walk *walk);

static herr_t walk_link(hid_t group, const char *name, const H5L_info_t *link, void *data)
{
    (void)group;
    Walk *walk = data;
    size_t length = strlen(walk->path);
    check_link(walk->path, name, link->type);
    check_name(walk->path, name);
    snprintf(walk->path + length, sizeof walk->path - length, "%s%s", length > 1 ? "/" : "", name);
    walk->depth++;
    walk_object(walk);
    walk->depth--;
    walk->path[length] = 0;
    return 0;
}

static void walk_group(Walk *walk, hid_t group, haddr_t address)
{
    for (int i = 0; i < walk->depth; i++)
        if (walk->above[i] == address)
            refuse("RX1005", walk->path, "the group contains itself");
    if (walk->depth > MAX_DEPTH)
        refuse("RX1006", walk->path, "groups nest deeper than %d", MAX_DEPTH);
    walk->above[walk->depth] = address;
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, walk_link, walk) < 0)
        refuse("RX0108", walk->path, "the group cannot be listed");
}

static void record_object(Walk *walk, const H5O_info_t *info)
{
    File *file = walk->file;
    if (file->count == MAX_OBJECTS)
        refuse("RX1006", walk->path, "the file has more than %d objects", MAX_OBJECTS);
    char *path = take(strlen(walk->path) + 1, 1);
    strcpy(path, walk->path);
    file->objects = grow(file->objects, file->count, sizeof *file->objects);
    file->objects[file->count++] = (Object){path, info->addr, info->type == H5O_TYPE_DATASET};
}

/* Check the object at the walk's path: its attributes, and it as a dataset or as a group. */
static void walk_object(Walk *walk)
{
    hid_t object = H5Oopen(walk->file->id, walk->path, H5P_DEFAULT);
    H5O_info_t info;
    if (object < 0 || H5Oget_info(object, &info) < 0)
        refuse("RX0108", walk->path, "the object cannot be opened");
    record_object(walk, &info);
    check_attributes(object, info.num_attrs, walk->path);
    if (info.type == H5O_TYPE_GROUP) {
        walk_group(walk, object, info.addr);
    } else if (info.type == H5O_TYPE_DATASET) {
        const Block *mark = top_block;
        Dataset dataset = open_dataset(walk->file, walk->path);
        walk->file->declared += dataset.count * dataset.size;
        if (walk->file->declared > 1100 * walk->file->size)
            refuse("RX1020", walk->path, "the datasets declare more bytes than the file can hold");
        close_dataset(&dataset);
        give_back_to(mark);
    } else {
        refuse("RX1031", walk->path, "the object is neither a group nor a dataset");
    }
    H5Oclose(object);
}

static int compare_addresses(const void *a, const void *b)
{
    haddr_t x = ((const Object *)a)->address, y = ((const Object *)b)->address;
    return (x > y) - (x < y);
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const Object *)a)->path, ((const Object *)b)->path);
}

static void walk_file(File *file)
{
    Walk walk = {.file = file, .path = "/"};
    walk_object(&walk);
    qsort(file->objects, file->count, sizeof *file->objects, compare_addresses);
    for (size_t i = 1; i < file->count; i++)
        if (file->objects[i].address == file->objects[i - 1].address)
            refuse("RX1004", file->objects[i].path, "the object has a second path, %s", file->objects[i - 1].path);
    qsort(file->objects, file->count, sizeof *file->objects, compare_paths);
}

/* The place of the first object whose path is not less. */
static size_t find_place(const File *file, const char *path)
{
    size_t low = 0, high = file->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(file->objects[middle].path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_dataset(const File *file, const char *path)
{
    size_t i = find_place(file, path);
    return i < file->count && strcmp(file->objects[i].path, path) == 0 && file->objects[i].dataset;
}

/* ---- generators (§6 and spec/generators): the rows of any column of a pattern ------------------------------ */

typedef struct Pattern {
    enum { EXPLICIT, RADIX_NET, DENSE, IDENTITY, RELABELLED } kind;
    uint64_t n_in, n_out, nnz;
    uint64_t most;                      /* edges that a column can have */
    const uint64_t *pointers, *indices; /* EXPLICIT, as CSC */
    uint64_t n, radix, step, blocks;    /* RADIX_NET: start at t or at t - (radix - 1) * step */
    bool forward;
    struct Pattern *base;               /* RELABELLED: column j has the rows row_of[s] for the base's rows s */
    const uint64_t *row_of, *column_of; /* of its column column_of[j]; NULL leaves them as they are */
} Pattern;

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* s = t - direction * j * step (mod n) for all j: steps up from the least of them, once around n at most. */
static uint64_t radix_net_column(const Pattern *p, uint64_t column, uint64_t *rows)
{
    uint64_t count = p->radix * p->blocks, t = column % p->n;
    if (!rows)
        return count;
    uint64_t start = p->forward ? (t + p->n - (p->radix - 1) * p->step % p->n) % p->n : t;
    uint64_t straight = (p->n - start + p->step - 1) / p->step; /* terms before the first that is beyond n */
    uint64_t wrapped = straight < p->radix ? p->radix - straight : 0;
    for (uint64_t block = 0, at = 0; block < p->blocks; block++)
        for (uint64_t j = 0; j < p->radix; j++) {
            uint64_t term = j < wrapped ? p->radix - wrapped + j : j - wrapped;
            rows[at++] = block * p->n + (start + term * p->step) % p->n;
        }
    return count;
}

/* The ascending rows of a column, and how many there are; `rows` may be NULL. */
static uint64_t column_rows(const Pattern *p, uint64_t column, uint64_t *rows)
{
    uint64_t count = 0;
    switch (p->kind) {
    case EXPLICIT:
        count = p->pointers[column + 1] - p->pointers[column];
        if (rows && count)
            memcpy(rows, p->indices + p->pointers[column], count * sizeof *rows);
        return count;
    case RADIX_NET:
        return radix_net_column(p, column, rows);
    case DENSE:
        for (uint64_t i = 0; rows && i < p->n_in; i++)
            rows[i] = i;
        return p->n_in;
    case IDENTITY:
        if (rows && column < p->n_in)
            rows[0] = column;
        return column < p->n_in;
    case RELABELLED:
        count = column_rows(p->base, p->column_of ? p->column_of[column] : column, rows);
        for (uint64_t i = 0; rows && p->row_of && i < count; i++)
            rows[i] = p->row_of[rows[i]];
        if (rows && p->row_of)
            qsort(rows, count, sizeof *rows, compare_u64);
        return count;
    }
    return count;
}

static _Noreturn void bad_parameters(const char *path, const char *what)
{
    refuse("RX7002", path, "the generator refuses its parameters: %s", what);
}

static uint64_t count_parameter(const Json *parameters, const char *key, uint64_t least, uint64_t most, const char *path)
{
    const Json *json = member(parameters, key);
    if (!json || !is_count(json, least, most))
        bad_parameters(path, key);
    return (uint64_t)json->number;
}

static void check_sides(Wide n_in, Wide n_out, Wide most, const char *path)
{
    if (n_in > MAX_SIDE || n_out > MAX_SIDE || most > MAX_FAN_IN || (Wide)most * n_out > MAX_SAFE)
        refuse("RX7005", path, "the generated layer is larger than the specification allows");
}

/* The layer of radix number `index` of the systems between blocks of n neurons; `before`, `after` of them. */
static Pattern radix_net_layer(uint64_t n, uint64_t radix, uint64_t step, bool forward, uint64_t before,
                               uint64_t after, const char *path)
{
    Pattern p = {.kind = RADIX_NET, .n = n, .radix = radix, .step = step, .blocks = before, .forward = forward};
    check_sides((Wide)n * before, (Wide)n * after, (Wide)radix * before, path);
    p.n_in = n * before;
    p.n_out = n * after;
    p.most = radix * before;
    p.nnz = p.most * p.n_out;
    return p;
}

static Pattern make_radix_net(const Json *parameters, const char *path)
{
    static const char wrong[] = "systems";
    const Json *systems = member(parameters, "systems"), *widths = member(parameters, "widths");
    const Json *direction = member(parameters, "direction");
    if (!systems || systems->kind != J_LIST || !systems->count)
        bad_parameters(path, wrong);
    uint64_t first = 0, place = 0, radix = 0, step = 0, index = count_parameter(parameters, "index", 0, MAX_SAFE, path);
    for (size_t i = 0; i < systems->count; i++) {
        const Json *system = systems->items[i];
        Wide product = 1;
        if (system->kind != J_LIST || !system->count)
            bad_parameters(path, wrong);
        for (size_t k = 0; k < system->count; k++, place++) {
            if (!is_count(system->items[k], 2, MAX_SAFE))
                bad_parameters(path, wrong);
            if (place == index)
                radix = (uint64_t)system->items[k]->number, step = (uint64_t)product;
            if ((product *= (uint64_t)system->items[k]->number) > MAX_SIDE)
                refuse("RX7005", path, "the product of a system is larger than 2^40");
        }
        first = i ? first : (uint64_t)product;
        if (i + 1 < systems->count ? product != first : first % (uint64_t)product != 0)
            bad_parameters(path, "the products of the systems");
    }
    if (!radix)
        bad_parameters(path, "index");
    if (!widths || widths->kind != J_LIST || widths->count != place + 1)
        bad_parameters(path, "widths");
    for (size_t i = 0; i < widths->count; i++)
        if (!is_count(widths->items[i], 1, MAX_SAFE))
            bad_parameters(path, "widths");
    if (!direction || !direction->integer || fabs(direction->number) != 1)
        bad_parameters(path, "direction");
    return radix_net_layer(first, radix, step, direction->number == 1, (uint64_t)widths->items[index]->number,
                           (uint64_t)widths->items[index + 1]->number, path);
}

/* MT19937 (Matsumoto and Nishimura 1998). */
typedef struct {
    uint32_t state[624];
    int used;
} Twister;

static void seed_twister(Twister *t, uint32_t seed)
{
    t->state[0] = seed;
    for (uint32_t i = 1; i < 624; i++)
        t->state[i] = 1812433253U * (t->state[i - 1] ^ t->state[i - 1] >> 30) + i;
    t->used = 624;
}

static uint32_t next_twister(Twister *t)
{
    for (int i = 0; t->used == 624 && i < 624; i++) {
        uint32_t y = (t->state[i] & 0x80000000U) | (t->state[(i + 1) % 624] & 0x7FFFFFFFU);
        t->state[i] = t->state[(i + 397) % 624] ^ y >> 1 ^ (y & 1 ? 0x9908B0DFU : 0);
    }
    t->used = t->used == 624 ? 0 : t->used;
    uint32_t y = t->state[t->used++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9D2C5680U;
    y ^= y << 15 & 0xEFC60000U;
    return y ^ y >> 18;
}

typedef struct {
    uint64_t number, neuron;
} Draw;

static int compare_draws(const void *a, const void *b)
{
    const Draw *x = a, *y = b;
    return x->number != y->number ? (x->number > y->number) - (x->number < y->number)
                                  : (x->neuron > y->neuron) - (x->neuron < y->neuron);
}

/* The neurons in the order of the group's numbers. A file's layers come in order, so the generator is kept. */
static const uint64_t *challenge_order(uint64_t neurons, uint64_t group)
{
    static Twister twister;
    static uint64_t of_neurons, made;
    static Draw draws[65536];
    if (of_neurons != neurons || made > group)
        seed_twister(&twister, 5489), made = 0;
    of_neurons = neurons;
    for (; made < group; made++)
        for (uint64_t i = 0; i < neurons; i++) {
            uint64_t high = next_twister(&twister) >> 5;
            draws[i] = (Draw){high << 26 | next_twister(&twister) >> 6, i};
        }
    qsort(draws, neurons, sizeof *draws, compare_draws);
    uint64_t *order = take(neurons, sizeof *order);
    for (uint64_t i = 0; i < neurons; i++)
        order[i] = draws[i].neuron;
    return order;
}

static Pattern make_graph_challenge(const Json *parameters, const char *path)
{
    uint64_t neurons = count_parameter(parameters, "neurons", 1024, 65536, path), radices = 6;
    uint64_t layer = count_parameter(parameters, "layer", 1, 65536, path) - 1;
    while (radices < 12 && neurons != (uint64_t)16 << radices)
        radices += 2;
    if (neurons != (uint64_t)16 << radices)
        bad_parameters(path, "neurons");
    Pattern *base = take(1, sizeof *base);
    *base = radix_net_layer(neurons / 16, 2, (uint64_t)1 << layer % radices, false, 16, 16, path);
    Pattern p = *base;
    if (layer < radices)
        return p;
    p.kind = RELABELLED;
    p.base = base;
    p.row_of = challenge_order(neurons, layer / radices);
    return p;
}

/* ---- layers (§4) --------------------------------------------------------------------------------------------- */

#define WEIGHT_TYPES "float64 float32 float16 bfloat16 int8 int16 int32 int64 uint8"
#define TENSOR_TYPES WEIGHT_TYPES " bool uint16 uint32 uint64"

enum { PATTERN, VALUES, BIAS, SCALE, ZERO_POINT, PARTS };
static const char *const part_names[PARTS] = {"pattern", "values", "bias", "scale", "zero_point"};

typedef enum { ARRAY, ISO, QUANTIZED, TOPOLOGY_ONLY } Encoding;

typedef struct {
    char path[32];
    const Json *json, *record; /* `record`: the generator's, of a procedural layer */
    Text name;
    bool conv, csr;
    uint64_t n_in, n_out, nnz, bias_length; /* 0: there is no bias */
    Encoding encoding;
    char dtype[16], bias_dtype[16];
    Digest digests[PARTS]; /* an empty text where there is none */
} Layer;

static const char *child_path(char *out, const char *path, const char *name)
{
    snprintf(out, MAX_PATH, "%.600s/%s", path, name);
    return out;
}

static void need_dtype(char out[16], const Json *object, const char *allowed, const char *path)
{
    Text text = need(object, "dtype", J_STRING, path)->text;
    if (!is_listed(text, allowed))
        refuse("RX2007", path, "the dtype is not one of: %s", allowed);
    memcpy(out, text.bytes, text.length);
}

/* The index of the member's text in the list, which ends with NULL. */
static int need_choice(const Json *object, const char *key, const char *const *choices, const char *path)
{
    Text text = need(object, key, J_STRING, path)->text;
    for (int i = 0; choices[i]; i++)
        if (is_text(text, choices[i]))
            return i;
    refuse("RX2007", path, "the member `%s` is none of the allowed words", key);
}

static bool is_list_of_counts(const Json *list, size_t count, uint64_t least)
{
    bool good = list->count == count;
    for (size_t i = 0; good && i < count; i++)
        good = is_count(list->items[i], least, MAX_SAFE);
    return good;
}

/* A convolution's numbers; its matrix has a row for every input and kernel cell of a group. */
static void check_geometry(const Layer *layer)
{
    const Json *geometry = member(layer->json, "geometry");
    if (!layer->conv && geometry)
        refuse("RX6011", layer->path, "a linear layer has a geometry");
    if (!layer->conv)
        return;
    geometry = need(layer->json, "geometry", J_OBJECT, layer->path);
    const Json *kernel = need(geometry, "kernel_shape", J_LIST, layer->path);
    const Json *group = need(geometry, "group", J_NUMBER, layer->path);
    size_t rank = kernel->count;
    if (rank < 1 || rank > 3 || !is_list_of_counts(kernel, rank, 1) || !is_count(group, 1, MAX_SAFE) ||
        !is_list_of_counts(need(geometry, "strides", J_LIST, layer->path), rank, 1) ||
        !is_list_of_counts(need(geometry, "dilations", J_LIST, layer->path), rank, 1) ||
        !is_list_of_counts(need(geometry, "pads", J_LIST, layer->path), 2 * rank, 0))
        refuse("RX6011", layer->path, "the geometry is not that of a convolution of rank 1 to 3");
    Wide cells = 1;
    for (size_t i = 0; i < rank && cells <= MAX_SIDE; i++)
        cells *= (uint64_t)kernel->items[i]->number;
    if (layer->n_in % cells || layer->n_out % (uint64_t)group->number)
        refuse("RX6011", layer->path, "the geometry does not fit the matrix");
}

static void parse_shape(Layer *layer)
{
    const Json *shape = need(layer->json, "shape", J_LIST, layer->path);
    const Json *nnz = need(layer->json, "nnz", J_NUMBER, layer->path);
    if (shape->count != 2 || !is_count(shape->items[0], 0, MAX_SIDE) || !is_count(shape->items[1], 0, MAX_SIDE))
        refuse("RX3008", layer->path, "the shape is not two integers from 0 to 2^40");
    layer->n_in = (uint64_t)shape->items[0]->number;
    layer->n_out = (uint64_t)shape->items[1]->number;
    if (!is_count(nnz, 0, MAX_SAFE) || (uint64_t)nnz->number > (Wide)layer->n_in * layer->n_out)
        refuse("RX3009", layer->path, "nnz is not an integer from 0 to n_in * n_out");
    layer->nnz = (uint64_t)nnz->number;
}

/* What the attribute `layer` says, without the datasets. */
static void parse_layer(const File *file, Layer *layer)
{
    static const char *const kinds[] = {"linear", "conv", NULL}, *const formats[] = {"CSC", "CSR", NULL};
    static const char *const patterns[] = {"explicit", "procedural", NULL};
    static const char *const encodings[] = {"array", "iso", "quantized", "topology-only", NULL};
    static const char *const types[] = {WEIGHT_TYPES, WEIGHT_TYPES, "int8 uint8", WEIGHT_TYPES};
    Text text = find_attribute(file, layer->path, "layer");
    if (!text.bytes)
        refuse("RX3002", layer->path, "the attribute `layer` is missing");
    layer->json = parse_json(text, layer->path);
    layer->name = need(layer->json, "name", J_STRING, layer->path)->text;
    layer->conv = need_choice(layer->json, "kind", kinds, layer->path) == 1;
    parse_shape(layer);
    const Json *pattern = need(layer->json, "pattern", J_OBJECT, layer->path);
    if (need_choice(pattern, "encoding", patterns, layer->path) == 1)
        layer->record = pattern;
    else
        layer->csr = need_choice(pattern, "format", formats, layer->path) == 1;
    if (!layer->record && layer->nnz > MAX_PLAIN)
        refuse("RX3009", layer->path, "an explicit layer has more than 2^31 edges");
    const Json *values = need(layer->json, "values", J_OBJECT, layer->path);
    layer->encoding = (Encoding)need_choice(values, "encoding", encodings, layer->path);
    need_dtype(layer->dtype, values, types[layer->encoding], layer->path);
    if (member(layer->json, "bias")) {
        const Json *bias = need(layer->json, "bias", J_OBJECT, layer->path);
        const Json *length = need(bias, "length", J_NUMBER, layer->path);
        need_dtype(layer->bias_dtype, bias, WEIGHT_TYPES, layer->path);
        if (!is_count(length, 0, MAX_SIDE) || (length->number != 1 && length->number != (double)layer->n_out))
            refuse("RX3012", layer->path, "the bias is neither of length n_out nor of length 1");
        layer->bias_length = (uint64_t)length->number;
    }
    check_geometry(layer);
}

/* The datasets of the group are those that the encodings name. */
static void check_datasets(const File *file, const Layer *layer, bool relabelled)
{
    char words[160], path[MAX_PATH];
    snprintf(words, sizeof words, "values%s%s%s%s", layer->record ? "" : " pointers_to_1 indices_1",
             member(layer->json, "bias") ? " bias" : "", layer->encoding == QUANTIZED ? " scale zero_point" : "",
             relabelled ? " in_perm out_perm" : "");
    size_t length = strlen(child_path(path, layer->path, ""));
    for (size_t i = find_place(file, path); i < file->count && !strncmp(file->objects[i].path, path, length); i++) {
        const char *name = file->objects[i].path + length;
        if (file->objects[i].dataset && !is_listed((Text){name, strlen(name)}, words))
            refuse("RX3004", file->objects[i].path, "the layer's encodings do not use this dataset");
    }
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        if (!is_dataset(file, child_path(path, layer->path, word)))
            refuse("RX3003", path, "the dataset is missing");
}

typedef struct {
    const char *name;
    const char *roles; /* the types that the dataset's role allows */
    const char *dtype; /* the one that is declared, or NULL */
    uint64_t length;
    bool or_one; /* length 1 will do as well */
    const char *code; /* of a wrong length */
} Vector;

static void *read_vector(const File *file, const Layer *layer, Vector want, Dataset *opened)
{
    char path[MAX_PATH];
    Dataset d = open_dataset(file, child_path(path, layer->path, want.name));
    if (d.rank != 1 || (d.count != want.length && !(want.or_one && d.count == 1)))
        refuse(want.code, path, "the dataset is not of length %llu", (unsigned long long)want.length);
    if (!d.dtype || !is_listed((Text){d.dtype, strlen(d.dtype)}, want.roles))
        refuse("RX3007", path, "the dataset's type is not one of: %s", want.roles);
    if (want.dtype && strcmp(d.dtype, want.dtype) != 0)
        refuse("RX3006", path, "the dataset's type is not the declared one, %s", want.dtype);
    void *data = read_all(&d);
    close_dataset(&d);
    *opened = d;
    return data;
}

static uint64_t *widen(const void *data, size_t size, uint64_t count)
{
    uint64_t *wide = take(count, sizeof *wide);
    for (uint64_t i = 0; i < count; i++)
        memcpy(wide + i, (const uint8_t *)data + i * size, size);
    return wide;
}

static void check_pointers(const char *path, const uint64_t *pointers, uint64_t runs, uint64_t nnz)
{
    if (pointers[0] != 0)
        refuse("RX4001", path, "the first pointer is not 0");
    for (uint64_t i = 0; i < runs; i++)
        if (pointers[i + 1] < pointers[i])
            refuse("RX4002", path, "pointer %llu is less than the one before", (unsigned long long)i + 1);
    if (pointers[runs] != nnz)
        refuse("RX4003", path, "the last pointer is not nnz");
}

static void check_indices(const char *path, const uint64_t *pointers, const uint64_t *indices, uint64_t runs, uint64_t below)
{
    for (uint64_t run = 0; run < runs; run++)
        for (uint64_t i = pointers[run]; i < pointers[run + 1]; i++) {
            if (indices[i] >= below)
                refuse("RX4004", path, "index %llu names no neuron", (unsigned long long)i);
            if (i > pointers[run] && indices[i] == indices[i - 1])
                refuse("RX4006", path, "the edge of index %llu stands twice", (unsigned long long)i);
            if (i > pointers[run] && indices[i] < indices[i - 1])
                refuse("RX4005", path, "index %llu does not ascend", (unsigned long long)i);
        }
}

/* Turn CSR into CSC; `order` says where in the file canonical edge k is. */
static void transpose(Pattern *p, const uint64_t **order)
{
    uint64_t *starts = take(p->n_out + 2, sizeof *starts), *rows = take(p->nnz, sizeof *rows);
    uint64_t *places = take(p->nnz, sizeof *places);
    for (uint64_t i = 0; i < p->nnz; i++)
        starts[p->indices[i] + 2]++;
    for (uint64_t j = 2; j < p->n_out + 2; j++)
        starts[j] += starts[j - 1];
    for (uint64_t row = 0; row < p->n_in; row++) /* starts[j + 1] moves on to the end of column j */
        for (uint64_t i = p->pointers[row]; i < p->pointers[row + 1]; i++) {
            uint64_t k = starts[p->indices[i] + 1]++;
            rows[k] = row;
            places[k] = i;
        }
    p->pointers = starts;
    p->indices = rows;
    *order = places;
}

static Pattern read_explicit(const File *file, const Layer *layer, const uint64_t **order)
{
    Pattern p = {.kind = EXPLICIT, .n_in = layer->n_in, .n_out = layer->n_out, .nnz = layer->nnz};
    uint64_t runs = layer->csr ? p.n_in : p.n_out, below = layer->csr ? p.n_out : p.n_in;
    Dataset d;
    Vector starts = {.name = "pointers_to_1", .roles = "uint64", .length = runs + 1, .code = "RX3005"};
    Vector ends = {.name = "indices_1", .roles = "uint16 uint32 uint64", .length = p.nnz, .code = "RX3005"};
    const uint64_t *pointers = read_vector(file, layer, starts, &d);
    check_pointers(d.path, pointers, runs, p.nnz);
    const void *raw = read_vector(file, layer, ends, &d);
    if (d.size < 8 && below > (uint64_t)1 << 8 * d.size)
        refuse("RX3010", d.path, "the type of the indices is too narrow");
    uint64_t *indices = widen(raw, d.size, p.nnz);
    check_indices(d.path, pointers, indices, runs, below);
    p.pointers = pointers;
    p.indices = indices;
    if (layer->csr) {
        charge("RX0199", layer->path, p.n_out); /* CSR stores nothing for an output neuron without edges */
        transpose(&p, order);
    }
    for (uint64_t j = 0; j < p.n_out; j++)
        p.most = p.most > column_rows(&p, j, NULL) ? p.most : column_rows(&p, j, NULL);
    return p;
}

static Pattern make_pattern(const File *file, const Layer *layer, const Json *record, bool inner);

static Pattern make_square(const Layer *layer, const Json *parameters, bool dense)
{
    Pattern p = {.kind = dense ? DENSE : IDENTITY};
    if (dense) {
        p.n_in = count_parameter(parameters, "n_in", 0, MAX_SIDE, layer->path);
        p.n_out = count_parameter(parameters, "n_out", 0, MAX_SIDE, layer->path);
    } else {
        p.n_in = p.n_out = count_parameter(parameters, "n", 0, MAX_SIDE, layer->path);
    }
    p.most = dense ? p.n_in : 1;
    check_sides(p.n_in, p.n_out, p.most, layer->path);
    p.nnz = p.most * p.n_out;
    return p;
}

/* A pattern whose neurons are relabelled by the datasets in_perm and out_perm; see permuted-1.md. */
static Pattern make_permuted(const File *file, const Layer *layer, const Json *parameters, bool inner)
{
    (void)file, (void)inner, (void)parameters;
    refuse("RX7001", layer->path, "TODO");
}

static const Json *base_record(const Json *record) { (void)record; return NULL; }

static Pattern make_pattern(const File *file, const Layer *layer, const Json *record, bool inner)
{
    static const char *const names[] = {"radix-net/1", "graph-challenge/1", "dense/1", "identity/1", "permuted/1"};
    const Json *parameters = need(record, "parameters", J_OBJECT, layer->path);
    Text name = need(record, "generator", J_STRING, layer->path)->text;
    size_t which = 0;
    while (which < 5 && !is_text(name, names[which]))
        which++;
    if (which == 5)
        refuse("RX7001", layer->path, "the generator \"%.*s\" is not known", short_length(name), name.bytes);
    return which == 0   ? make_radix_net(parameters, layer->path)
           : which == 1 ? make_graph_challenge(parameters, layer->path)
           : which < 4  ? make_square(layer, parameters, which == 2)
                        : make_permuted(file, layer, parameters, inner);
}

static Digest hash_recipe(const Layer *layer)
{
    char shape[64];
    Sink sink = start_digest("radixfmt-recipe-1\n");
    put_text(&sink, "{\"record\":");
    put_json(&sink, layer->record, "generator parameters");
    snprintf(shape, sizeof shape, ",\"shape\":[%llu,%llu]}", (unsigned long long)layer->n_in,
             (unsigned long long)layer->n_out);
    put_text(&sink, shape);
    return finish_digest(&sink, true);
}

static Digest hash_pattern(const Pattern *p)
{
    Sink sink = start_digest("radixfmt-pattern-1\n");
    uint64_t *rows = take(p->most, sizeof *rows), end = 0;
    put_u64(&sink, p->n_in);
    put_u64(&sink, p->n_out);
    put_u64(&sink, p->nnz);
    put_u64(&sink, 0);
    for (uint64_t j = 0; j < p->n_out; j++)
        put_u64(&sink, end += column_rows(p, j, NULL));
    for (uint64_t j = 0; j < p->n_out && p->nnz; j++)
        put(&sink, rows, column_rows(p, j, rows) * sizeof *rows);
    return finish_digest(&sink, false);
}

static void check_digest_form(Text text, const char *path)
{
    size_t prefix = text.length == 68 ? 4 : 5, digits = 0;
    while (digits < 64 && prefix + digits < text.length && text.bytes[prefix + digits] &&
           strchr("0123456789abcdef", text.bytes[prefix + digits]))
        digits++;
    if (text.length != prefix + 64 || memcmp(text.bytes, prefix == 4 ? "rx1:" : "rx1r:", prefix) != 0 || digits != 64)
        refuse("RX8007", path, "a digest is not `rx1:` or `rx1r:` and 64 lower-case hexadecimal digits");
}

/* A layer without that member, or with another digest than the computed one, is refused. */
static void compare_digest(const Json *digests, const char *key, const char *computed, const char *code, const char *path)
{
    const Json *json = member(digests, key);
    if (!json)
        refuse("RX8006", path, "the digest `%s` is missing", key);
    if (json->kind != J_STRING)
        refuse("RX2007", path, "the digest `%s` is not text", key);
    check_digest_form(json->text, path);
    if (!is_text(json->text, computed))
        refuse(code, path, "the digest `%s` is not that of the content, %s", key, computed);
}

/* The least and the largest number of edges at a neuron, if the layer declares them. */
static void check_degrees(const Layer *layer, const Pattern *p)
{
    for (int side = 0; side < 2; side++) {
        const Json *declared = member(layer->json, side ? "fan_out" : "fan_in");
        if (!declared)
            continue;
        if (declared->kind != J_LIST || !is_list_of_counts(declared, 2, 0))
            refuse("RX2007", layer->path, "`fan_in` and `fan_out` are two integers");
        const Block *mark = top_block;
        uint64_t count = side ? p->n_in : p->n_out, least = count ? UINT64_MAX : 0, most = 0;
        if (side)
            charge("RX0199", layer->path, count);
        uint64_t *degrees = take(count, sizeof *degrees), *rows = take(p->most, sizeof *rows);
        for (uint64_t j = 0; j < p->n_out; j++) {
            uint64_t degree = column_rows(p, j, side ? rows : NULL);
            if (!side)
                degrees[j] = degree;
            for (uint64_t i = 0; side && i < degree; i++)
                degrees[rows[i]]++;
        }
        for (uint64_t i = 0; i < count; i++) {
            least = degrees[i] < least ? degrees[i] : least;
            most = degrees[i] > most ? degrees[i] : most;
        }
        if (declared->items[0]->number != (double)least || declared->items[1]->number != (double)most)
            refuse("RX4009", layer->path, "`%s` is not the least and the largest degree", side ? "fan_out" : "fan_in");
        give_back_to(mark);
    }
}

/* Elements one after the other, in the order of `order` if there is one; one element of many is repeated. */
static void put_elements(Sink *sink, const uint8_t *data, size_t size, uint64_t stored, uint64_t count, const uint64_t *order)
{
    if (stored == count && !order)
        put(sink, data, count * size);
    else
        for (uint64_t i = 0; i < count; i++)
            put(sink, data + (stored == 1 ? 0 : order[i]) * size, size);
}

static Digest hash_values(const Layer *layer, const uint8_t *values, const uint64_t *order)
{
    size_t size = dtype_size(layer->dtype);
    bool one = layer->encoding == ISO, recipe = one && layer->nnz > MAX_PLAIN;
    char text[96];
    Sink sink = start_digest(recipe ? "radixfmt-values-recipe-1\n" : "radixfmt-values-1\n");
    if (recipe) {
        snprintf(text, sizeof text, "{\"dtype\":\"%s\",\"nnz\":\"%llu\",\"value\":\"", layer->dtype,
                 (unsigned long long)layer->nnz);
        put_text(&sink, text);
        for (size_t i = 0; i < size; i++)
            put(&sink, text, (size_t)snprintf(text, sizeof text, "%02x", values[i]));
        put_text(&sink, "\"}");
        return finish_digest(&sink, true);
    }
    put(&sink, text, (size_t)snprintf(text, sizeof text, "%s\n", layer->dtype));
    put_u64(&sink, layer->nnz);
    put_elements(&sink, values, size, one ? 1 : layer->nnz, layer->nnz, order);
    return finish_digest(&sink, false);
}

static Digest hash_dense(const char *dtype, int rank, const hsize_t *shape, const void *data, uint64_t stored)
{
    Sink sink = start_digest("radixfmt-dense-1\n");
    uint64_t count = 1;
    put_text(&sink, dtype);
    put_text(&sink, "\n");
    put_u64(&sink, (uint64_t)rank);
    for (int i = 0; i < rank; i++)
        put_u64(&sink, shape[i]), count *= shape[i];
    put_elements(&sink, data, dtype_size(dtype), stored, count, NULL);
    return finish_digest(&sink, false);
}

static void check_binsparse(const File *file, const Layer *layer)
{
    char path[MAX_PATH], values[32];
    bool known = !layer->record && strcmp(layer->dtype, "float16") != 0 && strcmp(layer->dtype, "bfloat16") != 0;
    Text text = find_attribute(file, layer->path, "binsparse");
    if (known && !text.bytes)
        refuse("RX3021", layer->path, "the attribute `binsparse` is missing");
    if (!known && text.bytes)
        refuse("RX3022", layer->path, "the attribute `binsparse` is not for this layer");
    if (!known)
        return;
    Dataset indices = open_dataset(file, child_path(path, layer->path, "indices_1"));
    close_dataset(&indices);
    snprintf(values, sizeof values, layer->encoding == ISO ? "iso[%s]" : "%s", layer->dtype);
    const Json *top = need(parse_json(text, layer->path), "binsparse", J_OBJECT, layer->path);
    const Json *types = need(top, "data_types", J_OBJECT, layer->path);
    const Json *shape = need(top, "shape", J_LIST, layer->path);
    const Json *nnz = need(top, "number_of_stored_values", J_NUMBER, layer->path);
    need(top, "version", J_STRING, layer->path);
    if (!is_text(need(top, "format", J_STRING, layer->path)->text, layer->csr ? "CSR" : "CSC") ||
        shape->count != 2 || !is_count(shape->items[0], layer->n_in, layer->n_in) ||
        !is_count(shape->items[1], layer->n_out, layer->n_out) || !is_count(nnz, layer->nnz, layer->nnz) ||
        !is_text(need(types, "pointers_to_1", J_STRING, layer->path)->text, "uint64") ||
        !is_text(need(types, "indices_1", J_STRING, layer->path)->text, indices.dtype) ||
        !is_text(need(types, "values", J_STRING, layer->path)->text,
                 layer->encoding == TOPOLOGY_ONLY ? "iso[bint8]" : values))
        refuse("RX3023", layer->path, "the attribute `binsparse` does not agree with `layer`");
}

static Digest read_pattern(const File *file, const Layer *layer, const uint64_t **order)
{
    Pattern p = layer->record ? make_pattern(file, layer, layer->record, false) : read_explicit(file, layer, order);
    if (p.n_in != layer->n_in || p.n_out != layer->n_out || p.nnz != layer->nnz)
        refuse("RX7003", layer->path, "the generator makes another shape or nnz than declared");
    if (layer->nnz > MAX_PLAIN)
        return hash_recipe(layer);
    if (layer->record)
        charge("RX7005", layer->path, layer->n_out + layer->nnz);
    check_degrees(layer, &p);
    return hash_pattern(&p);
}

static Digest read_values(const File *file, const Layer *layer, const uint64_t *order)
{
    bool one = layer->encoding == ISO || layer->encoding == TOPOLOGY_ONLY;
    Vector values = {"values", WEIGHT_TYPES, layer->dtype, one ? 1 : layer->nnz, false, "RX3011"};
    Dataset d;
    const uint8_t *data = read_vector(file, layer, values, &d);
    if (layer->encoding != TOPOLOGY_ONLY)
        return hash_values(layer, data, order);
    if (strcmp(d.dtype, "uint8") != 0 || data[0] != 1)
        refuse("RX5004", d.path, "the value of a topology-only layer is not the uint8 1");
    return (Digest){""};
}

/* bias, scale or zero_point: one number for each output neuron, or one for all. */
static Digest read_per_output(const File *file, const Layer *layer, Vector vector)
{
    Dataset d;
    const void *data = read_vector(file, layer, vector, &d);
    for (uint64_t i = 0; i < d.count && strcmp(vector.name, "scale") == 0; i++)
        if (!isfinite(((const float *)data)[i]) || ((const float *)data)[i] <= 0)
            refuse("RX5007", d.path, "a scale is not finite and above 0");
    bool recipe = d.count == 1 && layer->n_out > MAX_PLAIN;
    hsize_t length = recipe ? 1 : layer->n_out;
    if (d.count != length)
        charge("RX0199", d.path, length);
    Digest digest = hash_dense(d.dtype, 1, &length, data, d.count);
    if (recipe)
        memmove(digest.text + 4, digest.text + 3, 66), digest.text[3] = 'r';
    return digest;
}

/* Check a layer and compute its digests. Its arrays are given back; its JSON stays. */
static void read_layer(const File *file, Layer *layer)
{
    static const char *const codes[PARTS] = {"RX8001", "RX8002", "RX8003", "RX8003", "RX8003"};
    parse_layer(file, layer);
    const Block *mark = top_block;
    const uint64_t *order = NULL;
    bool relabelled = layer->record && is_text(need(layer->record, "generator", J_STRING, layer->path)->text, "permuted/1");
    check_datasets(file, layer, relabelled);
    check_binsparse(file, layer);
    layer->digests[PATTERN] = read_pattern(file, layer, &order);
    layer->digests[VALUES] = read_values(file, layer, order);
    if (member(layer->json, "bias"))
        layer->digests[BIAS] = read_per_output(file, layer, (Vector){"bias", WEIGHT_TYPES, layer->bias_dtype,
                                                                     layer->bias_length, false, "RX3005"});
    if (layer->encoding == QUANTIZED) {
        layer->digests[SCALE] = read_per_output(
            file, layer, (Vector){"scale", "float32", NULL, layer->n_out, true, "RX3012"});
        layer->digests[ZERO_POINT] = read_per_output(
            file, layer, (Vector){"zero_point", "int8 uint8", layer->dtype, layer->n_out, true, "RX3012"});
    }
    give_back_to(mark);
    const Json *digests = need(layer->json, "digests", J_OBJECT, layer->path);
    for (int part = 0; part < PARTS; part++)
        if (layer->digests[part].text[0])
            compare_digest(digests, part_names[part], layer->digests[part].text,
                           part == PATTERN && layer->record ? "RX7004" : codes[part], layer->path);
}

/* ---- the manifest and its tensors (§3, §5) ---------------------------------------------------------------------- */

typedef struct {
    File *file;
    const Json *manifest, *graph;
    Text version;
    Layer *layers;
    size_t layer_count;
    uint64_t *feeds; /* pairs i << 32 | j, sorted */
    size_t feed_count;
    struct Tensor *tensors; /* sorted by name */
    size_t tensor_count;
} Network;

/* MAJOR.MINOR or MAJOR.MINOR-draft.N */
static void check_version(Text version)
{
    unsigned long numbers[3] = {0, 0, 0};
    static const char *const separators[3] = {".", "-draft.", ""};
    Parser p = {.at = version.bytes, .end = version.bytes + version.length};
    int read = 0;
    for (bool more = true; more && read < 3; read++) {
        const char *start = p.at;
        while (p.at < p.end && p.at - start < 9 && *p.at >= '0' && *p.at <= '9')
            p.at++;
        if (p.at == start || (*start == '0' && p.at - start > 1))
            break;
        numbers[read] = strtoul(start, NULL, 10);
        more = accept(&p, separators[read]) && read < 2;
    }
    if (read < 2 || p.at != p.end)
        refuse("RX0204", "/", "`format_version` is not MAJOR.MINOR or MAJOR.MINOR-draft.N");
    if (numbers[0] != THIS_MAJOR || numbers[2] != THIS_DRAFT)
        refuse("RX0202", "/", "this is version %.32s, which this reader does not know", version.bytes);
}

static const Json *read_manifest(const File *file)
{
    static const char path[] = "/manifest";
    if (!is_dataset(file, path))
        refuse("RX2001", path, "the dataset is missing");
    Dataset d = open_dataset(file, path);
    if (d.dtype || d.rank != 0)
        refuse("RX2001", path, "this is not one fixed-length string");
    if (d.size > MAX_MANIFEST)
        refuse("RX2006", path, "the manifest has more than 16 MiB");
    const Json *json = parse_json(without_padding(read_all(&d), d.size, d.type), path);
    close_dataset(&d);
    return json;
}

static void check_requires(const Json *manifest)
{
    const Json *requires = need(manifest, "requires", J_LIST, "/manifest");
    for (size_t i = 0; i < requires->count; i++) {
        if (requires->items[i]->kind != J_STRING)
            refuse("RX2007", "/manifest", "a member of `requires` is not text");
        Text text = requires->items[i]->text;
        if (!is_listed(text, "procedural.radix-net/1 procedural.graph-challenge/1 procedural.dense/1 procedural.identity/1 "
                             "procedural.permuted/1 layer.conv values.quantized dtype.bfloat16"))
            refuse("RX0203", "/manifest", "the feature \"%.*s\" is not known", short_length(text), text.bytes);
    }
}

static void need_feature(const Json *manifest, const char *prefix, Text name)
{
    char feature[96];
    snprintf(feature, sizeof feature, "%s%.*s", prefix, short_length(name), name.bytes);
    const Json *requires = member(manifest, "requires");
    for (size_t i = 0; i < requires->count; i++)
        if (is_text(requires->items[i]->text, feature))
            return;
    refuse("RX0206", "/manifest", "`requires` does not list %s", feature);
}

static void check_features(const Network *net)
{
    static const Text nothing = {"", 0};
    for (size_t i = 0; i < net->layer_count; i++) {
        const Layer *layer = &net->layers[i];
        for (const Json *record = layer->record; record; record = base_record(record))
            need_feature(net->manifest, "procedural.", member(record, "generator")->text);
        if (layer->conv)
            need_feature(net->manifest, "layer.conv", nothing);
        if (layer->encoding == QUANTIZED)
            need_feature(net->manifest, "values.quantized", nothing);
        if (!strcmp(layer->dtype, "bfloat16") || !strcmp(layer->bias_dtype, "bfloat16"))
            need_feature(net->manifest, "dtype.bfloat16", nothing);
    }
    const Json *tensors = member(net->manifest, "tensors");
    for (size_t i = 0; i < tensors->count; i++)
        if (is_text(member(tensors->items[i], "dtype")->text, "bfloat16"))
            need_feature(net->manifest, "dtype.bfloat16", nothing);
}

static void read_tensor(const File *file, const Json *entry, const char *path)
{
    char dtype[16] = "";
    if (entry->kind != J_OBJECT)
        refuse("RX2007", "/manifest", "a member of `tensors` is not an object");
    need(entry, "name", J_STRING, "/manifest");
    need_dtype(dtype, entry, TENSOR_TYPES, "/manifest");
    const Json *shape = need(entry, "shape", J_LIST, "/manifest");
    if (!is_list_of_counts(shape, shape->count, 0) || shape->count > MAX_RANK)
        refuse("RX2007", "/manifest", "the shape of a tensor is not a list of at most 8 sizes");
    if (!is_dataset(file, path))
        refuse("RX3003", path, "the dataset is missing");
    const Block *mark = top_block;
    Dataset d = open_dataset(file, path);
    bool boolean = strcmp(dtype, "bool") == 0;
    if (!d.dtype || strcmp(d.dtype, boolean ? "uint8" : dtype) != 0)
        refuse("RX3006", path, "the dataset's type is not the declared one, %s", dtype);
    bool same = (size_t)d.rank == shape->count;
    for (int i = 0; i < d.rank && same; i++)
        same = shape->items[i]->number == (double)d.shape[i];
    if (!same)
        refuse("RX3005", path, "the dataset's shape is not the declared one");
    const uint8_t *data = read_all(&d);
    for (uint64_t i = 0; i < d.count && boolean; i++)
        if (data[i] > 1)
            refuse("RX3006", path, "a bool is neither 0 nor 1");
    compare_digest(entry, "digest", hash_dense(dtype, d.rank, d.shape, data, d.count).text, "RX8003", path);
    close_dataset(&d);
    give_back_to(mark);
}

/* The objects below a group are numbered from 000000; returns how many there are. */
static size_t count_numbered(const File *file, const char *prefix, const char *code)
{
    char expected[32];
    size_t count = 0, length = strlen(prefix);
    for (size_t i = find_place(file, prefix); i < file->count && !strncmp(file->objects[i].path, prefix, length); i++) {
        if (strchr(file->objects[i].path + length, '/'))
            continue;
        snprintf(expected, sizeof expected, "%s%06zu", prefix, count++);
        if (strcmp(file->objects[i].path, expected) != 0)
            refuse(code, file->objects[i].path, "the object's name is not the next number, %s", expected);
    }
    return count;
}

static void read_tensors(Network *net)
{
    char path[32];
    const Json *tensors = need(net->manifest, "tensors", J_LIST, "/manifest");
    for (size_t i = 0; i < tensors->count; i++) {
        snprintf(path, sizeof path, "/tensors/%06zu", i);
        read_tensor(net->file, tensors->items[i], path);
    }
    if (count_numbered(net->file, "/tensors/", "RX3004") > tensors->count)
        refuse("RX3004", "/tensors", "the manifest does not name all of the datasets");
}

static void read_layers(Network *net)
{
    net->layer_count = count_numbered(net->file, "/layers/", "RX3001");
    net->layers = take(net->layer_count, sizeof *net->layers);
    for (size_t i = 0; i < net->layer_count; i++) {
        snprintf(net->layers[i].path, sizeof net->layers[i].path, "/layers/%06zu", i);
        if (is_dataset(net->file, net->layers[i].path))
            refuse("RX3001", net->layers[i].path, "a layer is a group");
        read_layer(net->file, &net->layers[i]);
    }
}

/* ---- the graph (§5) ------------------------------------------------------------------------------------------------ */

/* What of the size of a tensor's last axis is known: all that SparseLinear asks about. */
enum { ANY_SIZE = -1 };

typedef struct Tensor {
    Text name;
    size_t producer;   /* a node, or NONE */
    const Json *entry; /* of the manifest's `tensors`, or NULL */
    int64_t last;      /* size of the last axis, or ANY_SIZE */
    bool graph_input, live;
} Tensor;

typedef struct {
    const Json *json;
    Text op;
    size_t layer; /* NONE: it applies no layer */
    size_t *inputs, *outputs; /* tensors; NONE: left out */
    size_t input_count, output_count;
} Node;

typedef struct {
    Network *net;
    Node *nodes;
    size_t node_count;
    size_t *order; /* of the nodes, producers first */
} Graph;

/* Operators of ai.onnx opset 21 without subgraphs: all but If, Loop, Scan and SequenceMap. */
static const char onnx_operators[] =
    "Abs Acos Acosh Add AffineGrid And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization Bernoulli "
    "BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow Cast CastLike Ceil Celu CenterCropPad Clip Col2Im "
    "Compress Concat ConcatFromSequence Constant ConstantOfShape Conv ConvInteger ConvTranspose Cos Cosh CumSum DFT "
    "DeformConv DepthToSpace DequantizeLinear Det Div Dropout DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand "
    "EyeLike Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool "
    "Greater GreaterOrEqual GridSample GroupNormalization HammingWindow HannWindow HardSigmoid HardSwish Hardmax Identity "
    "ImageDecoder InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax "
    "LpNormalization LpPool MatMul MatMulInteger Max MaxPool MaxRoiPool MaxUnpool Mean MeanVarianceNormalization "
    "MelWeightMatrix Min Mish Mod Mul Multinomial Neg NegativeLogLikelihoodLoss NonMaxSuppression NonZero Not OneHot "
    "Optional OptionalGetElement OptionalHasElement Or PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear RNN "
    "RandomNormal RandomNormalLike RandomUniform RandomUniformLike Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum "
    "ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare RegexFullMatch Relu Reshape "
    "Resize ReverseSequence RoiAlign Round STFT ScatterElements ScatterND Selu SequenceAt SequenceConstruct SequenceEmpty "
    "SequenceErase SequenceInsert SequenceLength Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax "
    "SoftmaxCrossEntropyLoss Softplus Softsign SpaceToDepth Split SplitToSequence Sqrt Squeeze StringConcat "
    "StringNormalizer StringSplit Sub Sum Tan Tanh TfIdfVectorizer ThresholdedRelu Tile TopK Transpose Trilu Unique "
    "Unsqueeze Where Xor";

static const char graph_path[] = "/manifest";

static int compare_tensors(const void *a, const void *b)
{
    return compare_keys(((const Tensor *)a)->name, ((const Tensor *)b)->name);
}

static size_t find_tensor(const Network *net, Text name)
{
    Tensor key = {.name = name}, *found = NULL;
    if (net->tensor_count)
        found = bsearch(&key, net->tensors, net->tensor_count, sizeof key, compare_tensors);
    if (!found)
        refuse("RX6003", graph_path, "nothing makes the tensor \"%.*s\"", short_length(name), name.bytes);
    return (size_t)(found - net->tensors);
}

static Tensor *add_tensor(Network *net, Text name)
{
    net->tensors = grow(net->tensors, net->tensor_count, sizeof *net->tensors);
    Tensor *tensor = &net->tensors[net->tensor_count++];
    *tensor = (Tensor){.name = name, .producer = NONE, .last = ANY_SIZE};
    return tensor;
}

/* The last of a list of sizes. Of a scalar it counts as 1, which is how it broadcasts. */
static int64_t last_size(const Json *shape)
{
    const Json *last = shape->count ? shape->items[shape->count - 1] : NULL;
    return !last ? 1 : last->kind == J_NUMBER ? (int64_t)last->number : ANY_SIZE;
}

/* A list of {"name", "dtype", "shape"}. */
static const Json *need_ports(const Network *net, const char *key)
{
    char dtype[16];
    const Json *ports = need(net->graph, key, J_LIST, graph_path);
    for (size_t i = 0; i < ports->count; i++) {
        const Json *port = ports->items[i];
        if (port->kind != J_OBJECT)
            refuse("RX2007", graph_path, "a member of `%s` is not an object", key);
        if (need(port, "name", J_STRING, graph_path)->text.length == 0)
            refuse("RX2007", graph_path, "a member of `%s` has no name", key);
        need_dtype(dtype, port, TENSOR_TYPES, graph_path);
        const Json *shape = need(port, "shape", J_LIST, graph_path);
        for (size_t k = 0; k < shape->count; k++)
            if (shape->items[k]->kind != J_STRING && !is_count(shape->items[k], 0, MAX_SAFE))
                refuse("RX2007", graph_path, "a size is neither an integer nor a name");
    }
    return ports;
}

static void check_names(const Json *names)
{
    for (size_t i = 0; i < names->count; i++)
        if (names->items[i]->kind != J_STRING)
            refuse("RX2007", graph_path, "the name of a tensor is not text");
}

static void check_attributes_of(const Json *node)
{
    static const char *const words[] = {"int", "float", "string", "ints", "floats", "strings"};
    static const Kind kinds[] = {J_NUMBER, J_NUMBER, J_STRING};
    if (!member(node, "attributes"))
        return;
    const Json *attributes = need(node, "attributes", J_OBJECT, graph_path);
    for (size_t i = 0; i < attributes->count; i++) {
        const Json *attribute = attributes->items[i];
        bool good = attribute->kind == J_OBJECT && attribute->count == 1;
        size_t type = 0;
        while (good && type < 6 && !is_text(attribute->items[0]->key, words[type]))
            type++;
        const Json *value = good && type < 6 ? attribute->items[0] : NULL;
        good = value && value->kind == (type < 3 ? kinds[type] : J_LIST);
        for (size_t k = 0; good && type >= 3 && k < value->count; k++)
            good = value->items[k]->kind == kinds[type - 3] && (type != 3 || value->items[k]->integer);
        if (!good || (type == 0 && !value->integer))
            refuse("RX2007", graph_path, "an attribute is not one number, text or list of them");
    }
}

static void parse_node(const Network *net, Node *node, const Json *json)
{
    if (json->kind != J_OBJECT)
        refuse("RX2007", graph_path, "a node is not an object");
    node->json = json;
    node->op = need(json, "op", J_STRING, graph_path)->text;
    node->layer = NONE;
    check_names(need(json, "inputs", J_LIST, graph_path));
    check_names(need(json, "outputs", J_LIST, graph_path));
    check_attributes_of(json);
    bool linear = is_text(node->op, "SparseLinear"), conv = is_text(node->op, "SparseConv");
    const Json *layer = member(json, "layer");
    if (!linear && !conv && !is_listed(node->op, onnx_operators))
        refuse("RX6002", graph_path, "\"%.*s\" is not an operator of this version", short_length(node->op), node->op.bytes);
    if ((layer != NULL) != (linear || conv))
        refuse("RX6008", graph_path, "SparseLinear and SparseConv have a `layer`, and no other node has");
    if (!layer)
        return;
    if (!is_count(layer, 0, MAX_SAFE))
        refuse("RX2007", graph_path, "`layer` is not an index");
    if (layer->number >= (double)net->layer_count)
        refuse("RX6003", graph_path, "a node applies a layer that is not there");
    node->layer = (size_t)layer->number;
    const Json *inputs = member(json, "inputs"), *outputs = member(json, "outputs");
    if (inputs->count != 1 || outputs->count != 1 || !inputs->items[0]->text.length || !outputs->items[0]->text.length ||
        net->layers[node->layer].conv != conv)
        refuse("RX6008", graph_path, "SparseLinear and SparseConv have one input, one output and a layer of their kind");
}

/* Every tensor with what makes it. */
static void collect_tensors(Graph *graph)
{
    Network *net = graph->net;
    const Json *inputs = need_ports(net, "inputs"), *entries = member(net->manifest, "tensors");
    need_ports(net, "outputs");
    for (size_t i = 0; i < inputs->count; i++) {
        Tensor *tensor = add_tensor(net, member(inputs->items[i], "name")->text);
        tensor->last = last_size(member(inputs->items[i], "shape"));
        tensor->graph_input = true;
    }
    for (size_t i = 0; i < entries->count; i++) {
        Tensor *tensor = add_tensor(net, member(entries->items[i], "name")->text);
        tensor->last = last_size(member(entries->items[i], "shape"));
        tensor->entry = entries->items[i];
    }
    for (size_t n = 0; n < graph->node_count; n++) {
        const Json *names = member(graph->nodes[n].json, "outputs");
        for (size_t i = 0; i < names->count; i++)
            if (names->items[i]->text.length)
                add_tensor(net, names->items[i]->text)->producer = n;
    }
    if (net->tensor_count)
        qsort(net->tensors, net->tensor_count, sizeof *net->tensors, compare_tensors);
    for (size_t i = 1; i < net->tensor_count; i++)
        if (compare_tensors(&net->tensors[i - 1], &net->tensors[i]) == 0)
            refuse("RX6004", graph_path, "the tensor \"%.*s\" is made twice", short_length(net->tensors[i].name),
                   net->tensors[i].name.bytes);
}

static size_t *resolve(const Network *net, const Json *names)
{
    size_t *tensors = take(names->count, sizeof *tensors);
    for (size_t i = 0; i < names->count; i++)
        tensors[i] = names->items[i]->text.length ? find_tensor(net, names->items[i]->text) : NONE;
    return tensors;
}

static size_t producer_of(const Network *net, size_t tensor)
{
    return tensor == NONE ? NONE : net->tensors[tensor].producer;
}

/* Depth first from every node to what it needs, with a stack of our own: chains are long. */
static void order_nodes(Graph *graph)
{
    enum { NEW, OPEN, DONE };
    size_t count = graph->node_count, done = 0;
    uint8_t *state = take(count, 1);
    size_t *stack = take(count, sizeof *stack), *next = take(count, sizeof *next);
    graph->order = take(count, sizeof *graph->order);
    for (size_t root = 0; root < count; root++) {
        size_t height = 0;
        if (state[root] == NEW)
            stack[height++] = root;
        while (height) {
            size_t n = stack[height - 1];
            state[n] = OPEN;
            if (next[n] == graph->nodes[n].input_count) {
                state[n] = DONE;
                graph->order[done++] = n;
                height--;
                continue;
            }
            size_t needed = producer_of(graph->net, graph->nodes[n].inputs[next[n]++]);
            if (needed != NONE && state[needed] == OPEN)
                refuse("RX6001", graph_path, "the graph has a cycle");
            if (needed != NONE && state[needed] == NEW)
                stack[height++] = needed;
        }
    }
}

/* Layers, nodes and inputs that no output depends on have no place in a file. */
static void check_use(const Graph *graph)
{
    Network *net = graph->net;
    const Json *outputs = member(net->graph, "outputs");
    bool *used = take(net->layer_count, sizeof *used);
    for (size_t i = 0; i < outputs->count; i++)
        net->tensors[find_tensor(net, member(outputs->items[i], "name")->text)].live = true;
    for (size_t k = graph->node_count; k-- > 0;) {
        const Node *node = &graph->nodes[graph->order[k]];
        bool live = false;
        for (size_t i = 0; i < node->output_count; i++)
            live = live || (node->outputs[i] != NONE && net->tensors[node->outputs[i]].live);
        if (!live)
            refuse("RX6007", graph_path, "no output depends on a node of %.*s", short_length(node->op), node->op.bytes);
        for (size_t i = 0; i < node->input_count; i++)
            if (node->inputs[i] != NONE)
                net->tensors[node->inputs[i]].live = true;
        if (node->layer != NONE)
            used[node->layer] = true;
    }
    for (size_t i = 0; i < net->tensor_count; i++)
        if (net->tensors[i].graph_input && !net->tensors[i].live)
            refuse("RX6007", graph_path, "no output depends on the input \"%.*s\"", short_length(net->tensors[i].name),
                   net->tensors[i].name.bytes);
    for (size_t i = 0; i < net->layer_count; i++)
        if (!used[i])
            refuse("RX6006", net->layers[i].path, "no node uses the layer");
}

static int64_t broadcast(int64_t a, int64_t b)
{
    if (a > 1 && b > 1 && a != b)
        refuse("RX6005", graph_path, "the sizes %lld and %lld meet", (long long)a, (long long)b);
    return a == 1 ? b : b == 1 ? a : a > b ? a : b;
}

static int64_t last_size_after(const Network *net, const Node *node)
{
    static const char shape_keepers[] =
        "Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Cast Ceil Celu Clip Cos Cosh Dropout Elu Erf Exp Floor Gelu "
        "HardSigmoid HardSwish Hardmax Identity IsInf IsNaN LeakyRelu Log LogSoftmax LayerNormalization Mish Neg Not "
        "Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Tan Tanh ThresholdedRelu";
    static const char broadcasters[] =
        "Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min "
        "Mod Mul Or PRelu Pow Sub Sum Where Xor";
    bool joins = is_listed(node->op, broadcasters);
    if (!node->input_count || node->inputs[0] == NONE)
        return ANY_SIZE;
    int64_t last = net->tensors[node->inputs[0]].last;
    if (is_text(node->op, "SparseLinear")) {
        const Layer *layer = &net->layers[node->layer];
        if (last != ANY_SIZE && last != (int64_t)layer->n_in)
            refuse("RX6005", layer->path, "the layer has %llu inputs and is given %lld", (unsigned long long)layer->n_in,
                   (long long)last);
        return (int64_t)layer->n_out;
    }
    if (!joins)
        return is_listed(node->op, shape_keepers) ? last : ANY_SIZE;
    for (size_t i = 1; i < node->input_count; i++)
        last = broadcast(last, node->inputs[i] == NONE ? ANY_SIZE : net->tensors[node->inputs[i]].last);
    return last;
}

static void check_sizes(const Graph *graph)
{
    Network *net = graph->net;
    const Json *outputs = member(net->graph, "outputs");
    for (size_t k = 0; k < graph->node_count; k++) {
        const Node *node = &graph->nodes[graph->order[k]];
        if (node->output_count && node->outputs[0] != NONE)
            net->tensors[node->outputs[0]].last = last_size_after(net, node);
    }
    for (size_t i = 0; i < outputs->count; i++) {
        int64_t declared = last_size(member(outputs->items[i], "shape"));
        int64_t made = net->tensors[find_tensor(net, member(outputs->items[i], "name")->text)].last;
        if (declared != ANY_SIZE && made != ANY_SIZE && declared != made)
            refuse("RX6005", graph_path, "an output has %lld elements, not the declared %lld", (long long)made,
                   (long long)declared);
    }
}

/* The promise of profile `chain`: one input, one output, nodes in one line. */
static void check_chain(const Graph *graph)
{
    const Network *net = graph->net;
    const Json *profile = member(net->manifest, "profile"), *inputs = member(net->graph, "inputs");
    bool promised = false;
    if (profile && profile->kind != J_LIST)
        refuse("RX2007", graph_path, "`profile` is not a list");
    for (size_t i = 0; profile && i < profile->count; i++)
        promised = promised || (profile->items[i]->kind == J_STRING && is_text(profile->items[i]->text, "chain"));
    if (!promised)
        return;
    bool kept = inputs->count == 1 && member(net->graph, "outputs")->count == 1;
    size_t before = kept ? find_tensor(net, member(inputs->items[0], "name")->text) : NONE;
    for (size_t k = 0; kept && k < graph->node_count; k++) {
        const Node *node = &graph->nodes[graph->order[k]];
        kept = node->input_count && node->output_count && node->inputs[0] == before;
        before = kept ? node->outputs[0] : NONE;
    }
    if (!kept)
        refuse("RX6009", graph_path, "the nodes are not in one line, as profile `chain` promises");
}

/* From each node that applies a layer, back to the nearest ones that do. */
static void find_feeds(const Graph *graph)
{
    Network *net = graph->net;
    size_t *stack = take(graph->node_count, sizeof *stack), *seen = take(graph->node_count, sizeof *seen);
    for (size_t n = 0; n < graph->node_count; n++) {
        size_t height = 0, at = n;
        for (bool more = graph->nodes[n].layer != NONE; more; more = height > 0, at = more ? stack[--height] : NONE) {
            const Node *node = &graph->nodes[at];
            if (at != n && node->layer != NONE) {
                net->feeds = grow(net->feeds, net->feed_count, sizeof *net->feeds);
                net->feeds[net->feed_count++] = (uint64_t)node->layer << 32 | graph->nodes[n].layer;
                continue;
            }
            for (size_t i = 0; i < node->input_count; i++) {
                size_t needed = producer_of(net, node->inputs[i]);
                if (needed != NONE && seen[needed] != n + 1)
                    seen[needed] = n + 1, stack[height++] = needed;
            }
        }
    }
    if (net->feed_count)
        qsort(net->feeds, net->feed_count, sizeof *net->feeds, compare_u64);
}

static void read_graph(Network *net)
{
    net->graph = need(net->manifest, "graph", J_OBJECT, graph_path);
    const Json *nodes = need(net->graph, "nodes", J_LIST, graph_path);
    Graph graph = {.net = net, .nodes = take(nodes->count, sizeof *graph.nodes), .node_count = nodes->count};
    for (size_t n = 0; n < nodes->count; n++)
        parse_node(net, &graph.nodes[n], nodes->items[n]);
    collect_tensors(&graph);
    for (size_t n = 0; n < nodes->count; n++) {
        Node *node = &graph.nodes[n];
        const Json *inputs = member(node->json, "inputs"), *outputs = member(node->json, "outputs");
        *node = (Node){node->json, node->op, node->layer, resolve(net, inputs), resolve(net, outputs), inputs->count, outputs->count};
    }
    order_nodes(&graph);
    check_use(&graph);
    check_sizes(&graph);
    check_chain(&graph);
    find_feeds(&graph);
}

/* ---- the digests of the root (§7) and what is printed ---------------------------------------------------------------- */

static void put_member(Sink *sink, const char *before, const char *key)
{
    put_text(sink, before);
    put_string(sink, (Text){key, strlen(key)});
    put_text(sink, ":");
}

static void put_digest(Sink *sink, Digest digest)
{
    put_string(sink, (Text){digest.text, strlen(digest.text)});
}

static void put_pair(Sink *sink, const char *before, uint64_t a, uint64_t b)
{
    char text[64];
    snprintf(text, sizeof text, "%s[%llu,%llu]", before, (unsigned long long)a, (unsigned long long)b);
    put_text(sink, text);
}

static Digest hash_topology(const Network *net)
{
    Sink sink = start_digest("radixfmt-topology-1\n");
    bool recipe = false;
    put_text(&sink, "{\"feeds\":[");
    for (size_t i = 0; i < net->feed_count; i++)
        if (!i || net->feeds[i] != net->feeds[i - 1])
            put_pair(&sink, i ? "," : "", net->feeds[i] >> 32, net->feeds[i] & UINT32_MAX);
    put_text(&sink, "],\"layers\":[");
    for (size_t i = 0; i < net->layer_count; i++) {
        const Layer *layer = &net->layers[i];
        put_member(&sink, i ? ",{" : "{", "pattern");
        put_digest(&sink, layer->digests[PATTERN]);
        put_pair(&sink, ",\"shape\":", layer->n_in, layer->n_out);
        put_text(&sink, "}");
        recipe = recipe || rests_on_recipe(layer->digests[PATTERN]);
    }
    put_text(&sink, "]}");
    return finish_digest(&sink, recipe);
}

static void put_layer_content(Sink *sink, const Layer *layer)
{
    static const int order[PARTS] = {BIAS, PATTERN, SCALE, VALUES, ZERO_POINT}; /* of the keys; geometry is second */
    const char *before = "{";
    for (int i = 0; i < PARTS; i++) {
        if (layer->digests[order[i]].text[0]) {
            put_member(sink, before, part_names[order[i]]);
            put_digest(sink, layer->digests[order[i]]);
            before = ",";
        }
        if (i == 0 && layer->conv) {
            put_member(sink, before, "geometry");
            put_json(sink, member(layer->json, "geometry"), "dilations group kernel_shape pads strides");
            before = ",";
        }
    }
    put_text(sink, "}");
}

static Digest hash_content(const Network *net)
{
    Sink sink = start_digest("radixfmt-content-1\n");
    bool recipe = false;
    put_text(&sink, "{\"graph\":{\"inputs\":");
    put_json(&sink, member(net->graph, "inputs"), "dtype name shape");
    put_text(&sink, ",\"nodes\":");
    put_json(&sink, member(net->graph, "nodes"), "attributes inputs layer op outputs");
    put_text(&sink, ",\"outputs\":");
    put_json(&sink, member(net->graph, "outputs"), "dtype name shape");
    put_text(&sink, "},\"layers\":[");
    for (size_t i = 0; i < net->layer_count; i++) {
        put_text(&sink, i ? "," : "");
        put_layer_content(&sink, &net->layers[i]);
        for (int part = 0; part < PARTS; part++)
            recipe = recipe || rests_on_recipe(net->layers[i].digests[part]);
    }
    put_text(&sink, "],\"tensors\":{");
    const char *before = "";
    for (size_t i = 0; i < net->tensor_count; i++) {
        if (!net->tensors[i].entry)
            continue;
        put_text(&sink, before);
        put_string(&sink, net->tensors[i].name);
        put_text(&sink, ":");
        put_json(&sink, member(net->tensors[i].entry, "digest"), NULL);
        before = ",";
    }
    put_text(&sink, "}}");
    return finish_digest(&sink, recipe);
}

static Digest hash_extension(const File *file, const char *path)
{
    const Block *mark = top_block;
    Dataset d = open_dataset(file, path);
    const void *data = read_all(&d);
    Digest digest;
    if (d.dtype) {
        digest = hash_dense(d.dtype, d.rank, d.shape, data, d.count);
    } else {
        Sink sink = start_digest("radixfmt-text-1\n");
        if (d.rank != 0)
            refuse("RX1033", path, "strings under /ext are scalar");
        Text text = without_padding(data, d.size, d.type);
        put(&sink, text.bytes, text.length);
        digest = finish_digest(&sink, false);
    }
    close_dataset(&d);
    give_back_to(mark);
    return digest;
}

static Digest hash_metadata(const Network *net)
{
    static const char prefix[] = "/ext/";
    Sink sink = start_digest("radixfmt-metadata-1\n");
    const File *file = net->file;
    const char *before = "{\"ext\":{";
    for (size_t i = find_place(file, prefix); i < file->count && !strncmp(file->objects[i].path, prefix, 5); i++) {
        if (!file->objects[i].dataset)
            continue;
        put_member(&sink, before, file->objects[i].path + 5);
        put_digest(&sink, hash_extension(file, file->objects[i].path));
        before = ",";
    }
    put_text(&sink, *before == ',' ? "},\"metadata\":" : "{\"ext\":{},\"metadata\":");
    put_json(&sink, need(net->manifest, "metadata", J_OBJECT, "/manifest"), NULL);
    put_text(&sink, ",\"names\":[");
    for (size_t i = 0; i < net->layer_count; i++) {
        put_text(&sink, i ? "," : "");
        put_string(&sink, net->layers[i].name);
    }
    put_text(&sink, "]}");
    return finish_digest(&sink, false);
}

static void compare_root_digest(const File *file, const char *name, Digest computed, const char *code)
{
    Text text = find_attribute(file, "/", name);
    if (!text.bytes)
        refuse("RX8006", "/", "the attribute `%s` is missing", name);
    check_digest_form(text, "/");
    if (!is_text(text, computed.text))
        refuse(code, "/", "`%s` is not that of the content, %s", name, computed.text);
}

/* An integer; beyond 2^53 - 1, where readers of JSON lose digits, as text. */
static void put_integer(Sink *sink, Wide number)
{
    char digits[48], *start = digits + sizeof digits;
    bool quoted = number > MAX_SAFE;
    *--start = 0;
    do
        *--start = (char)('0' + (int)(number % 10));
    while (number /= 10);
    put_text(sink, quoted ? "\"" : "");
    put_text(sink, start);
    put_text(sink, quoted ? "\"" : "");
}

static void put_nnz(Sink *sink, Wide nnz, Wide cells)
{
    put_member(sink, ",", "nnz");
    put_integer(sink, nnz);
    put_member(sink, ",", "density");
    put_number(sink, cells ? (double)((long double)nnz / (long double)cells) : 0);
}

static void put_layer(Sink *sink, const Layer *layer)
{
    put_member(sink, "{", "name");
    put_string(sink, layer->name);
    put_member(sink, ",", "kind");
    put_text(sink, layer->conv ? "\"conv\"" : "\"linear\"");
    put_pair(sink, ",\"shape\":", layer->n_in, layer->n_out);
    put_nnz(sink, layer->nnz, (Wide)layer->n_in * layer->n_out);
    put_member(sink, ",", "dtype");
    if (layer->encoding == TOPOLOGY_ONLY)
        put_text(sink, "null");
    else
        put_string(sink, (Text){layer->dtype, strlen(layer->dtype)});
    put_member(sink, ",", "encoding");
    put_text(sink, layer->record ? "\"procedural\"" : "\"explicit\"");
    put_member(sink, ",", "pattern_digest");
    put_digest(sink, layer->digests[PATTERN]);
    put_text(sink, "}");
}

static void print_info(const Network *net, const Digest digests[3])
{
    static const char *const names[3] = {"topology_digest", "content_digest", "metadata_digest"};
    const Json *name = member(member(net->manifest, "metadata"), "name");
    Sink sink = {.file = stdout};
    Wide nnz = 0, cells = 0;
    put_member(&sink, "{", "format_version");
    put_string(&sink, net->version);
    put_member(&sink, ",", "name");
    put_string(&sink, name && name->kind == J_STRING ? name->text : (Text){"", 0});
    for (int i = 0; i < 3; i++) {
        put_member(&sink, ",", names[i]);
        put_digest(&sink, digests[i]);
    }
    for (size_t i = 0; i < net->layer_count; i++) {
        nnz += net->layers[i].nnz;
        cells += (Wide)net->layers[i].n_in * net->layers[i].n_out;
    }
    put_nnz(&sink, nnz, cells);
    put_member(&sink, ",", "layers");
    put_text(&sink, "[");
    for (size_t i = 0; i < net->layer_count; i++) {
        put_text(&sink, i ? "," : "");
        put_layer(&sink, &net->layers[i]);
    }
    put_text(&sink, "]}\n");
}

/* ---- main ------------------------------------------------------------------------------------------------------------------ */

static File open_file(const char *path)
{
    File file = {.size = check_superblock(path)};
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* we say ourselves what is wrong */
    H5PLset_loading_state(0);              /* no plugins: they are code that a file names */
    file.id = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (file.id < 0)
        refuse("RX0105", path, "libhdf5 cannot open the file");
    return file;
}

/* §8, step by step. */
static void read_file(const char *path)
{
    File file = open_file(path);
    Network net = {.file = &file};
    Text format = find_attribute(&file, "/", "format");
    if (!format.bytes || !is_text(format, "radixfmt"))
        refuse("RX0201", "/", "the attribute `format` is not `radixfmt`");
    net.version = find_attribute(&file, "/", "format_version");
    check_version(net.version.bytes ? net.version : (Text){"", 0});
    walk_file(&file);
    net.manifest = read_manifest(&file);
    if (!is_text(need(net.manifest, "format", J_STRING, "/manifest")->text, "radixfmt") ||
        !same_text(need(net.manifest, "version", J_STRING, "/manifest")->text, net.version))
        refuse("RX2009", "/manifest", "`format` and `version` are not those of the root's attributes");
    check_requires(net.manifest);
    read_layers(&net);
    read_tensors(&net);
    check_features(&net);
    read_graph(&net);
    Digest digests[3] = {hash_topology(&net), hash_content(&net), hash_metadata(&net)};
    compare_root_digest(&file, "topology_digest", digests[0], "RX8004");
    compare_root_digest(&file, "content_digest", digests[1], "RX8005");
    compare_root_digest(&file, "metadata_digest", digests[2], "RX8008");
    H5Fclose(file.id);
    print_info(&net, digests);
    give_back_to(NULL);
}

/* Bound what libhdf5 may take as well (§9). A sanitizer needs the address space for itself. */
static void limit_process(void)
{
    setrlimit(RLIMIT_CPU, &(struct rlimit){MAX_SECONDS, MAX_SECONDS});
#ifndef __SANITIZE_ADDRESS__
    setrlimit(RLIMIT_AS, &(struct rlimit){2 * MAX_MEMORY, 2 * MAX_MEMORY});
#endif
}

/* libhdf5 may die of a hostile file. So the file is read in a process that can be lost. */
int main(int count, char **arguments)
{
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
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    refuse("RX0199", arguments[1], "reading the file ended the reader, by signal %d", WTERMSIG(status));
}
