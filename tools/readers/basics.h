/* What a language with a library would bring along: bounded memory, text, SHA-256, JSON. Nothing here knows radixfmt,
 * but for the form of its digests, `rx1:` and `rx1r:`.
 */
#ifndef BASICS_H
#define BASICS_H

#define _POSIX_C_SOURCE 200809L

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "arrays are hashed as they lie in memory");

enum { MAX_RANK = 8, MAX_DEPTH = 8, MAX_NEST = 32, MAX_OBJECTS = 1000000, MAX_ATTRIBUTES = 64 };
enum { MAX_PATH = 768, MAX_SECONDS = 600 }; /* 8 groups and a dataset of 64 characters each; processor time */
#define MAX_MEMORY ((size_t)4 << 30)        /* our own; the process may have as much again for libhdf5 */
#define MAX_ATTRIBUTE ((size_t)64 << 10)
#define MAX_MANIFEST ((size_t)16 << 20)
#define MAX_CHUNK ((size_t)16 << 20)
#define MAX_SIDE ((uint64_t)1 << 40) /* neurons on one side of a layer */
#define MAX_FAN_IN ((uint64_t)1 << 24)
#define MAX_PLAIN ((uint64_t)1 << 31) /* edges; the digests of larger layers are those of recipes */
#define MAX_SAFE (((uint64_t)1 << 53) - 1)
#define MAX_EXPANDED ((uint64_t)1 << 28) /* neurons and edges made at the wish of a few bytes, in the whole file */
#define NONE SIZE_MAX

__extension__ typedef unsigned __int128 Wide; /* n_in * n_out and sums of them */
typedef unsigned long long Shown;             /* what printf prints */

/* ---- refusals, memory, text ---------------------------------------------------------------------------------- */

/* Refuse the file if a requirement does not hold. The process ends at once: libhdf5 tidies up after no bad file. */
__attribute__((format(printf, 4, 5))) static void check(bool holds, const char *code, const char *path,
                                                        const char *format, ...) {
    char line[MAX_PATH + 512];
    if (holds) return;
    int start = snprintf(line, sizeof line, "%s %.*s: ", code, MAX_PATH, path);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + start, sizeof line - (size_t)start, format, arguments);
    va_end(arguments);
    for (char *c = line; *c; c++) /* names in a hostile file do not reach a terminal as they are */
        *c = *c < 32 || *c > 126 ? '?' : *c;
    fprintf(stderr, "%s\n", line);
    _exit(1);
}

/* All memory comes from a stack of blocks, so that it has one bound and is given back layer by layer. */
typedef struct Block {
    struct Block *below;
    size_t size;
    max_align_t data[];
} Block;

static Block *top_block;
static size_t memory_taken;

static void *take(uint64_t count, size_t size) {
    size_t left = MAX_MEMORY - memory_taken;
    bool fits = left > sizeof(Block) && count <= (left - sizeof(Block)) / size;
    Block *block = fits ? calloc(1, sizeof(Block) + count * size) : NULL;
    check(block != NULL, "RX0199", "/", "the file needs more memory than this reader's limit");
    *block = (Block){.below = top_block, .size = sizeof(Block) + count * size};
    memory_taken += block->size;
    top_block = block;
    return block->data;
}

static void give_back_to(const Block *mark) {
    for (Block *block = top_block; block != mark; block = top_block) {
        memory_taken -= block->size;
        top_block = block->below;
        free(block);
    }
}

/* Room for one more element in an array that doubles. */
static void *grow(void *items, size_t count, size_t size) {
    if (count & (count - 1)) return items;
    void *larger = take(count ? 2 * count : 1, size);
    return count ? memcpy(larger, items, count * size) : larger;
}

/* Count what is made, and refuse to go beyond the limit. */
static void charge(const char *code, const char *path, uint64_t neurons_and_edges) {
    static uint64_t left = MAX_EXPANDED;
    check(neurons_and_edges <= left, code, path, "what the layer expands to is larger than this reader's limit");
    left -= neurons_and_edges;
}

typedef struct {
    const char *bytes; /* not ended by a zero */
    size_t length;
} Text;

/* How much of a name a message shows. */
static int shown_length(Text text) {
    return text.length < 64 ? (int)text.length : 64;
}

static Text text_of(const char *string) {
    return (Text){string, strlen(string)};
}

static bool same_text(Text a, Text b) {
    return a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0;
}

static bool is_text(Text text, const char *string) {
    return same_text(text, text_of(string));
}

/* Whether the text is one of the words, which single spaces part. */
static bool is_listed(Text text, const char *words) {
    for (size_t length; *words; words += length + (words[length] == ' ')) {
        length = strcspn(words, " ");
        if (same_text(text, (Text){words, length})) return true;
    }
    return false;
}

static int compare_u64(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* ---- SHA-256 (FIPS 180-4), and where text and numbers go ------------------------------------------------------- */

typedef struct {
    FILE *file; /* print to it; if there is none, hash */
    uint64_t length;
    uint32_t state[8];
    uint8_t block[64];
} Sink;

typedef struct {
    char text[72]; /* "rx1:" or "rx1r:" and 64 hexadecimal digits; empty: there is none */
} Digest;

static uint32_t rotate(uint32_t x, int bits) {
    return x >> bits | x << (32 - bits);
}

static void sha_block(uint32_t state[8], const uint8_t *block) {
    static const uint32_t k[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
        0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
        0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
        0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
        0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
        0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
        0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2};
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 |
               block[4 * i + 3];
    for (int i = 16; i < 64; i++)
        w[i] = w[i - 16] + (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
               (rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
    memcpy(v, state, sizeof v);
#define V(x) v[(unsigned)((x) - i) % 8] /* a is V(0), h is V(7): the names move, not the numbers */
    for (int i = 0; i < 64; i++) {
        uint32_t one = V(7) + (rotate(V(4), 6) ^ rotate(V(4), 11) ^ rotate(V(4), 25)) +
                       ((V(4) & V(5)) ^ (~V(4) & V(6))) + k[i] + w[i];
        V(3) += one;
        V(7) = one + (rotate(V(0), 2) ^ rotate(V(0), 13) ^ rotate(V(0), 22)) +
               ((V(0) & V(1)) ^ (V(0) & V(2)) ^ (V(1) & V(2)));
    }
#undef V
    for (int i = 0; i < 8; i++) state[i] += v[i];
}

static void put(Sink *sink, const void *data, size_t length) {
    const uint8_t *bytes = data;
    size_t used = sink->length % 64;
    if (sink->file) {
        fwrite(data, 1, length, sink->file);
        return;
    }
    sink->length += length;
    for (size_t part = 64 - used; length >= part; bytes += part, length -= part, used = 0, part = 64) {
        if (used) memcpy(sink->block + used, bytes, part);
        sha_block(sink->state, used ? sink->block : bytes);
    }
    if (length) memcpy(sink->block + used, bytes, length);
}

static void put_u64(Sink *sink, uint64_t number) {
    put(sink, &number, sizeof number);
}

/* Formatted text, for short arguments. */
__attribute__((format(printf, 2, 3))) static void putf(Sink *sink, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put(sink, text, strlen(text));
}

static Sink start_digest(const char *domain) {
    Sink sink = {.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab,
                           0x5be0cd19}};
    putf(&sink, "%s\n", domain);
    return sink;
}

static Digest finish_digest(Sink *sink, bool recipe) {
    uint64_t bits = sink->length * 8;
    Digest digest;
    put(sink, "\x80", 1);
    while (sink->length % 64 != 56) put(sink, "", 1);
    for (int i = 56; i >= 0; i -= 8) put(sink, &(uint8_t){(uint8_t)(bits >> i)}, 1);
    int length = snprintf(digest.text, sizeof digest.text, recipe ? "rx1r:" : "rx1:");
    for (int i = 0; i < 8; i++) length += sprintf(digest.text + length, "%08x", (unsigned)sink->state[i]);
    return digest;
}

/* Whether the digest depends on how a layer is stored (§7). */
static bool is_recipe(Digest digest) {
    return digest.text[3] == 'r';
}

/* ---- JSON: a strict parser (§3), and RFC 8785 form ----------------------------------------------------------------- */

typedef enum { J_NULL, J_BOOL, J_NUMBER, J_STRING, J_LIST, J_OBJECT } Kind;

typedef struct Json {
    Kind kind;
    bool truth, integer; /* integer: written without fraction and exponent; so it is within 2^53 - 1 */
    double number;
    Text text, key;      /* a string; the key of an object's member */
    struct Json **items; /* of a list, or of an object in the order of RFC 8785 */
    size_t count;
} Json;

typedef struct {
    const char *at, *end; /* a zero byte is at `end`: to look one byte ahead is always allowed */
    const char *path;
    int depth;
} Parser;

/* A zero byte follows the text. */
static bool is_utf8(Text text) {
    for (size_t i = 0, length; i < text.length; i += length) {
        const uint8_t *c = (const uint8_t *)text.bytes + i;
        length = c[0] < 0x80 ? 1 : c[0] < 0xE0 ? 2 : c[0] < 0xF0 ? 3 : 4;
        uint32_t point = length == 1 ? c[0] : c[0] & (0x7Fu >> length);
        for (size_t k = 1; k < length; k++) {
            if ((c[k] & 0xC0) != 0x80) return false;
            point = point << 6 | (c[k] & 0x3F);
        }
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (c[0] >= 0xF8 || (c[0] & 0xC0) == 0x80 || point < least[length] || point > 0x10FFFF || point >> 11 == 27)
            return false; /* 27: surrogates */
    }
    return true;
}

static void need_syntax(const Parser *p, bool holds) {
    check(holds, "RX2003", p->path, "this is not JSON, %zu bytes before its end", (size_t)(p->end - p->at));
}

static void skip_space(Parser *p) {
    p->at += strspn(p->at, " \t\n\r");
}

static bool accept(Parser *p, const char *token) {
    size_t length = strlen(token);
    bool found = strncmp(p->at, token, length) == 0;
    p->at += found ? length : 0;
    return found;
}

static uint32_t parse_hex4(Parser *p) {
    char digits[5] = "";
    strncat(digits, p->at, 4);
    need_syntax(p, strspn(digits, "0123456789abcdefABCDEF") == 4);
    p->at += 4;
    return (uint32_t)strtoul(digits, NULL, 16);
}

/* What follows \u, and perhaps a second half, as UTF-8. */
static size_t parse_code_point(Parser *p, char *out) {
    uint32_t c = parse_hex4(p);
    if (c >> 11 == 27) {
        uint32_t low = c < 0xDC00 && accept(p, "\\u") ? parse_hex4(p) : 0;
        check(low >> 10 == 0xDC00 >> 10, "RX2010", p->path, "a string holds half of a surrogate pair");
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    }
    size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = length; i-- > 1; c >>= 6) out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)(length == 1 ? c : (0xF00u >> length & 0xFF) | c);
    return length;
}

static Text parse_string(Parser *p) {
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    need_syntax(p, accept(p, "\""));
    const char *close = p->at;
    while (*close && *close != '"') close += *close == '\\' && close[1] ? 2 : 1;
    char *out = take((size_t)(close - p->at) + 1, 1); /* no escape is shorter than its character */
    size_t length = 0;
    while (!accept(p, "\"")) {
        need_syntax(p, (unsigned char)*p->at >= 32); /* at the end of the text there is a zero */
        if (!accept(p, "\\")) {
            out[length++] = *p->at++;
        } else if (accept(p, "u")) {
            length += parse_code_point(p, out + length);
        } else {
            const char *letter = strchr(letters, *p->at);
            need_syntax(p, letter && *letter);
            out[length++] = meanings[letter - letters];
            p->at++;
        }
    }
    return (Text){out, length};
}

static void skip_digits(Parser *p) {
    size_t count = strspn(p->at, "0123456789");
    need_syntax(p, count > 0);
    p->at += count;
}

static void parse_number(Parser *p, Json *json) {
    const char *start = p->at;
    accept(p, "-");
    check(!accept(p, "Infinity") && !accept(p, "NaN"), "RX2005", p->path, "a number is not finite");
    if (!accept(p, "0")) skip_digits(p);
    const char *end = p->at;
    if (accept(p, ".")) skip_digits(p);
    if (accept(p, "e") || accept(p, "E")) {
        p->at += *p->at == '+' || *p->at == '-';
        skip_digits(p);
    }
    json->number = strtod(start, NULL);
    json->integer = p->at == end;
    check(isfinite(json->number), "RX2005", p->path, "a number is not finite");
    check(!json->integer || fabs(json->number) <= MAX_SAFE, "RX2005", p->path, "an integer is larger than 2^53 - 1");
}

/* RFC 8785 sorts by UTF-16 units. Bytes of UTF-8 have that order but for U+E000 to U+FFFF, which come last. */
static int compare_texts(Text a, Text b) {
    for (size_t i = 0; i < a.length && i < b.length; i++) {
        int x = (unsigned char)a.bytes[i], y = (unsigned char)b.bytes[i];
        if (x != y)
            return (x >> 1 == 0x77 ? x + 16 : x) - (y >> 1 == 0x77 ? y + 16 : y); /* 0x77: leads 0xEE and 0xEF */
    }
    return (a.length > b.length) - (a.length < b.length);
}

static int compare_members(const void *a, const void *b) {
    return compare_texts((*(Json *const *)a)->key, (*(Json *const *)b)->key);
}

static Json *parse_value(Parser *p);

static void parse_items(Parser *p, Json *json, const char *close) {
    check(++p->depth <= MAX_NEST, "RX2006", p->path, "JSON nests deeper than %d", MAX_NEST);
    skip_space(p);
    for (bool done = accept(p, close); !done; json->count++) {
        Text key = text_of("");
        skip_space(p);
        if (json->kind == J_OBJECT) {
            key = parse_string(p);
            skip_space(p);
            need_syntax(p, accept(p, ":"));
        }
        json->items = grow(json->items, json->count, sizeof *json->items);
        json->items[json->count] = parse_value(p);
        json->items[json->count]->key = key;
        done = accept(p, close);
        need_syntax(p, done || accept(p, ","));
    }
    p->depth--;
    if (json->kind == J_OBJECT && json->count)
        qsort(json->items, json->count, sizeof *json->items, compare_members);
    for (size_t i = 1; i < json->count && json->kind == J_OBJECT; i++)
        check(compare_members(&json->items[i - 1], &json->items[i]), "RX2004", p->path, "the key \"%.*s\" stands twice",
              shown_length(json->items[i]->key), json->items[i]->key.bytes);
}

static Json *parse_value(Parser *p) {
    Json *json = take(1, sizeof *json);
    skip_space(p);
    json->kind = *p->at == '"'          ? J_STRING
                 : accept(p, "{")       ? J_OBJECT
                 : accept(p, "[")       ? J_LIST
                 : accept(p, "null")    ? J_NULL
                 : accept(p, "false")   ? J_BOOL
                 : strncmp(p->at, "true", 4) == 0 ? J_BOOL
                                        : J_NUMBER;
    if (json->kind == J_STRING) json->text = parse_string(p);
    else if (json->kind >= J_LIST) parse_items(p, json, json->kind == J_LIST ? "]" : "}");
    else if (json->kind == J_BOOL) json->truth = accept(p, "true");
    else if (json->kind == J_NUMBER) parse_number(p, json);
    skip_space(p);
    return json;
}

static Json *parse_json(Text text, const char *path) {
    char *copy = take(text.length + 1, 1);
    Parser parser = {.at = memcpy(copy, text.bytes, text.length), .end = copy + text.length, .path = path};
    check(is_utf8((Text){copy, text.length}), "RX2002", path, "the text is not UTF-8");
    Json *json = parse_value(&parser);
    need_syntax(&parser, parser.at == parser.end && json->kind == J_OBJECT);
    return json;
}

static const Json *member(const Json *object, const char *key) {
    for (size_t i = 0; i < object->count; i++)
        if (is_text(object->items[i]->key, key)) return object->items[i];
    return NULL;
}

static const Json *need(const Json *object, const char *key, Kind kind, const char *path) {
    const Json *json = object->kind == J_OBJECT ? member(object, key) : NULL;
    check(json && json->kind == kind, "RX2007", path, "the member `%s` is missing or of the wrong type", key);
    return json;
}

static Text need_text(const Json *object, const char *key, const char *path) {
    return need(object, key, J_STRING, path)->text;
}

static bool is_count(const Json *json, uint64_t least, uint64_t most) {
    return json && json->kind == J_NUMBER && json->integer && json->number >= (double)least &&
           json->number <= (double)most;
}

static bool are_counts(const Json *list, size_t count, uint64_t least, uint64_t most) {
    bool good = list && list->kind == J_LIST && list->count == count;
    for (size_t i = 0; good && i < count; i++) good = is_count(list->items[i], least, most);
    return good;
}

static uint64_t count_at(const Json *list, size_t i) {
    return (uint64_t)list->items[i]->number;
}

static void put_string(Sink *sink, Text text) {
    static const char letters[] = "\"\\bfnrt", meanings[] = "\"\\\b\f\n\r\t";
    put(sink, "\"", 1);
    for (size_t i = 0; i < text.length; i++) {
        char c = text.bytes[i];
        const char *meaning = c ? strchr(meanings, c) : NULL;
        if (meaning) putf(sink, "\\%c", letters[meaning - meanings]);
        else if ((unsigned char)c < 32) putf(sink, "\\u%04x", (unsigned)c);
        else put(sink, &c, 1);
    }
    put(sink, "\"", 1);
}

/* The digits of the shortest decimal that rounds to the number; returns the power of ten of the first one. */
static int shortest_digits(double number, char digits[24]) {
    for (int count = 1;; count++) {
        char text[40];
        Shown whole = 0;
        snprintf(text, sizeof text, "%.*e", count - 1, number);
        int power = atoi(strchr(text, 'e') + 1);
        for (const char *c = text; *c != 'e'; c++) whole = *c == '.' ? whole : 10 * whole + (Shown)(*c - '0');
        for (int up = 0; up < 2; up++) { /* numbers are sparser above a power of two: one digit more may do there */
            snprintf(text, sizeof text, "%llue%d", whole + (Shown)up, power - count + 1);
            if (strtod(text, NULL) != number && count < 17) continue;
            int length = snprintf(digits, 24, "%llu", whole + (Shown)up);
            power += length - count;
            while (length > 1 && digits[length - 1] == '0') digits[--length] = 0;
            return power;
        }
    }
}

/* Number::toString of ECMAScript, as RFC 8785 asks. */
static void put_number(Sink *sink, double number) {
    char digits[24] = "0";
    int power = number == 0 ? 0 : shortest_digits(fabs(number), digits), count = (int)strlen(digits);
    putf(sink, number < 0 ? "-" : "");
    if (power < -6 || power >= 21) putf(sink, "%c%s%se%+d", digits[0], digits[1] ? "." : "", digits + 1, power);
    else if (power < 0) putf(sink, "0.%.*s%s", -power - 1, "00000", digits);
    else if (power >= count - 1) putf(sink, "%s%.*s", digits, power - count + 1, "00000000000000000000");
    else putf(sink, "%.*s.%s", power + 1, digits, digits + power + 1);
}

/* `only`: the members to write of this object, or of the objects in this list; NULL for all. */
static void put_json(Sink *sink, const Json *json, const char *only) {
    bool object = json->kind == J_OBJECT;
    const char *before = object ? "{" : "[";
    if (json->kind == J_STRING) put_string(sink, json->text);
    else if (json->kind == J_NUMBER) put_number(sink, json->number);
    else if (json->kind < J_NUMBER) putf(sink, json->kind == J_NULL ? "null" : json->truth ? "true" : "false");
    if (json->kind < J_LIST) return;
    for (size_t i = 0; i < json->count; i++) {
        if (object && only && !is_listed(json->items[i]->key, only)) continue;
        putf(sink, "%s", before);
        before = ",";
        if (object) {
            put_string(sink, json->items[i]->key);
            putf(sink, ":");
        }
        put_json(sink, json->items[i], object ? NULL : only);
    }
    putf(sink, *before == ',' ? object ? "}" : "]" : object ? "{}" : "[]");
}

#endif
