/* Refusals, memory, digests, and JSON (§3): RFC 8785 form, a parser, members by their types. */
#pragma once
#define _GNU_SOURCE
#include <fenv.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_NEST = 32, MAX_MARKS = 1 << 21 }; /* levels, and commas and opening brackets of a text */
#define MAX_SAFE (((int64_t)1 << 53) - 1)
#define MAX_MEMORY ((uint64_t)4 << 30)
__extension__ typedef unsigned __int128 Wide; /* n_in * n_out, and sums of them */
static char place[1024]; /* what is being read: the path of an object */

/* Refuse the file if a requirement does not hold. */
#define check(holds, code, ...) ((holds) ? (void)0 : (REFUSE(code, __VA_ARGS__), _exit(1)))
#define REFUSE(code, ...) fprintf(stderr, "%s %s: ", code, place), fprintf(stderr, __VA_ARGS__), fputc('\n', stderr)

/* Zeros, and one element more. A process that reads one file gives back only what is large. */
static void *take(uint64_t count, size_t size) {
    void *block = count < MAX_MEMORY / size ? calloc(count + 1, size) : NULL;
    check(block, "RX0199", "the file needs more memory than this reader's limit");
    return block;
}
/* Room for one more element in an array that doubles. */
static void *grow(void *items, size_t count, size_t size) {
    if ((count & (count - 1)) == 0) items = realloc(items, (2 * count + 1) * size);
    check(items, "RX0199", "the file needs more memory than this reader's limit");
    return items;
}

static int compare_lists(const void *a, const void *b, void *width) {
    const uint64_t *x = a, *y = b, *end = x + *(size_t *)width - 1;
    while (x < end && *x == *y) x++, y++;
    return (*x > *y) - (*x < *y);
}
/* Sort `count` lists of `width` integers. */
static void sort(void *lists, size_t count, size_t width) {
    if (count) qsort_r(lists, count, width * sizeof(uint64_t), compare_lists, &width);
}

static bool is(const char *a, const char *b) { return strcmp(a, b) == 0; }
/* Whether the text is one of the words, which single spaces part. */
static bool is_one_of(const char *text, const char *words) {
    for (size_t length; *words; words += length + (words[length] == ' ')) {
        length = strcspn(words, " ");
        if (strlen(text) == length && !memcmp(text, words, length)) return true;
    }
    return false;
}

static void put_bytes(BIO *out, const void *bytes, size_t size) {
    for (size_t sent; size && BIO_write_ex(out, bytes, size, &sent); bytes += sent) size -= sent;
}
static void put(BIO *out, const char *text) { put_bytes(out, text, strlen(text)); }

/* A stream of OpenSSL that hashes what is written (§7). */
static BIO *start_digest(const char *domain) {
    BIO *out = BIO_push(BIO_new(BIO_f_md()), BIO_new(BIO_s_null()));
    BIO_set_md(out, EVP_sha256());
    put(out, domain);
    return out;
}
static const char *finish_digest(BIO *out, bool recipe) {
    uint8_t bytes[32];
    char *text = take(70, 1), *end = stpcpy(text, recipe ? "rx1r:" : "rx1:");
    BIO_gets(out, (char *)bytes, sizeof bytes);
    BIO_free_all(out);
    for (int i = 0; i < 32; i++) end += sprintf(end, "%02x", bytes[i]);
    return text;
}

typedef enum { J_WORD, J_NUMBER, J_STRING, J_LIST, J_OBJECT } Kind;
typedef struct Json {
    const char *key; /* of a member of an object */
    Kind kind;
    bool integer; /* spelled in digits alone, and within 2^53 - 1 */
    double number;
    const char *text;   /* of a string, with C0 80 for \u0000; or how RFC 8785 spells a number or word */
    struct Json *items; /* of a list, or of an object in the order of RFC 8785 */
    size_t count;
    const struct Json *inputs, *layer, *last, *seen_from; /* of what makes a tensor; see radixfmt_info.c */
    int mark;
} Json;
static const char letters[] = "\"\\bfnrt/", meanings[] = "\"\\\b\f\n\r\t/"; /* of escapes; "/" needs none */

/* Number::toString of ECMAScript: the shortest decimal that rounds to the number, or to the same float32. */
static const char *spell(double number, bool float32) {
    number = float32 ? (float)number : number;
    char text[40] = "0e0", digits[24], *out = take(48, 1), *end = stpcpy(out, number < 0 ? "-" : "");
    for (int i = 0; (float32 ? strtof(text, NULL) : strtod(text, NULL)) != fabs(number); i++) {
        fesetround(i % 2 ? FE_UPWARD : FE_TONEAREST); /* up may do where doubles become sparser */
        sprintf(text, "%.*e", i / 2, fabs(number));
        fesetround(FE_TONEAREST);
    }
    int power = atoi(strchr(text, 'e') + 1), count = (int)strcspn(text, "e") - (text[1] == '.');
    sprintf(digits, "%c%.*s", text[0], count - 1, text + 2);
    if (power < -6 || power > 20) sprintf(end, "%c%s%se%+d", digits[0], count > 1 ? "." : "", digits + 1, power);
    else if (power < 0) sprintf(end, "0.%.*s%s", -power - 1, "00000", digits);
    else if (power >= count - 1) sprintf(end, "%s%.*s", digits, power - count + 1, "00000000000000000000");
    else sprintf(end, "%.*s.%s", power + 1, digits, digits + power + 1);
    return out;
}

static void put_string(BIO *out, const char *before, const char *text) {
    BIO_printf(out, "%s\"", before);
    for (; *text; text++) {
        const char *meaning = *text == '/' ? NULL : strchr(meanings, *text);
        if (meaning) BIO_printf(out, "\\%c", letters[meaning - meanings]);
        else if (*text == '\xC0') put(out, "\\u0000"), text++;
        else if ((unsigned char)*text < 32) BIO_printf(out, "\\u%04x", (unsigned)*text);
        else BIO_write(out, text, 1);
    }
    put(out, "\"");
}

/* `only`: the members to write of this object, or of the objects in this list; NULL for all. */
static void put_json(BIO *out, const char *before, const Json *json, const char *only) {
    const char *comma = "";
    bool object = json->kind == J_OBJECT;
    if (json->kind == J_STRING) put_string(out, before, json->text);
    else put(out, before), put(out, object ? "{" : json->kind == J_LIST ? "[" : json->text);
    for (const Json *item = json->items; item < json->items + json->count; item++) {
        bool empty = object && is(item->key, "attributes") && item->kind == J_OBJECT && !item->count;
        if (object && only && (empty || !is_one_of(item->key, only))) continue;
        if (object) put_string(out, comma, item->key);
        put_json(out, object ? ":" : comma, item, object ? NULL : only);
        comma = ",";
    }
    if (json->kind >= J_LIST) put(out, object ? "}" : "]");
}

static char *at; /* what is parsed next, in a text that ends with a zero */

static bool accept(char mark) {
    at += strspn(at, " \t\n\r");
    return *at == mark ? at++, true : false;
}
/* The four digits behind \u; `at` ends on the last one. */
static uint32_t parse_hex4(void) {
    char digits[5] = "";
    strncat(digits, at + 1, 4);
    check(strspn(digits, "0123456789abcdefABCDEF") == 4, "RX2003", "an escape is not \\u and four digits");
    at += 4;
    return (uint32_t)strtoul(digits, NULL, 16);
}

/* The characters of a string up to its closing quote, as UTF-8 in their place: no escape is shorter. */
static const char *parse_characters(void) {
    char *text = at, *end = at;
    for (; *at != '"'; at++) {
        check((unsigned char)*at >= 32, "RX2003", "a string does not end, or holds a control character");
        if (*at != '\\') {
            *end++ = *at;
        } else if (*++at != 'u') {
            check(*at && strchr(letters, *at), "RX2003", "an escape is none of JSON");
            *end++ = meanings[strchr(letters, *at) - letters];
        } else {
            uint32_t c = parse_hex4(), low = 0;
            if (c >> 10 == 0xD800 >> 10 && at[1] == '\\' && at[2] == 'u') at += 2, low = parse_hex4();
            if (low >> 10 == 0xDC00 >> 10) c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
            int length = c ? wctomb(end, (wchar_t)c) : 2;
            check(length > 0, "RX2010", "a string holds half of a surrogate pair");
            end = c ? end + length : stpcpy(end, "\xC0\x80");
        }
    }
    *end = 0, at++;
    for (char *c = text; (c = strpbrk(c, "AEIOUaeiou")); c++) /* to find all of them needs Unicode's tables */
        check(c[1] != '\xCC' || (c[2] & 0x7F) > 4, "RX2010", "a vowel and its accent are not in form C");
    return text;
}

/* A word or a number, if also with such liberties as a leading zero. */
static Json parse_scalar(void) {
    Json json = {.kind = J_WORD, .text = strndup(at, strspn(at, "+-.0123456789aeEflnrstu"))};
    char *end;
    at += strlen(json.text);
    if (is_one_of(json.text, "null true false")) return json;
    json.kind = J_NUMBER, json.number = strtod(json.text, &end);
    bool kept = isfinite(json.number) && (json.number != 0 || !signbit(json.number));
    check(*json.text && !*end && kept, "RX2005", "a number is malformed, not finite or a negative zero");
    const char *spelled = spell(json.number, false);
    bool digits = !json.text[strspn(json.text, "-0123456789")], same = is(json.text, spelled);
    json.integer = digits && fabs(json.number) <= MAX_SAFE;
    check(json.integer || !digits || same, "RX2005", "an integer is larger than 2^53 - 1, and no float");
    json.text = spelled;
    return json;
}

/* Of names by RFC 8785, or of structures that begin with one: by UTF-16 units. Bytes of UTF-8 have that
 * order, but that U+E000 to U+FFFF come last. */
static int compare_names(const void *left, const void *right) {
    const char *a = *(char *const *)left, *b = *(char *const *)right;
    while (*a && *a == *b) a++, b++;
    int x = (unsigned char)*a, y = (unsigned char)*b;
    return (x >> 1 == 0xEE >> 1 ? x + 16 : x) - (y >> 1 == 0xEE >> 1 ? y + 16 : y);
}

static Json parse_value(int depth) {
    Json json = {.kind = accept('{') ? J_OBJECT : accept('[') ? J_LIST : accept('"') ? J_STRING : J_WORD};
    if (json.kind == J_STRING) json.text = parse_characters();
    if (json.kind < J_LIST) return json.kind == J_STRING ? json : parse_scalar();
    check(depth <= MAX_NEST, "RX2006", "JSON nests deeper than 32");
    char close = json.kind == J_LIST ? ']' : '}';
    for (bool done = accept(close); !done; json.count++) {
        check(json.kind == J_LIST || accept('"'), "RX2003", "a key is missing");
        const char *key = json.kind == J_LIST ? NULL : parse_characters();
        check(!key || accept(':'), "RX2003", "a colon is missing");
        json.items = grow(json.items, json.count, sizeof json);
        json.items[json.count] = parse_value(depth + 1);
        json.items[json.count].key = key;
        done = accept(close);
        check(done || accept(','), "RX2003", "a comma or bracket is missing");
    }
    if (json.kind == J_LIST || !json.count) return json;
    qsort(json.items, json.count, sizeof json, compare_names);
    for (size_t i = 1; i < json.count; i++)
        check(!is(json.items[i - 1].key, json.items[i].key), "RX2004", "a key stands twice");
    return json;
}

/* The object that a text holds, which is lost. */
static Json *parse_json(char *text) {
    Json *json = take(1, sizeof *json);
    int marks = 0;
    for (at = text; (at = strpbrk(at, ",[{")); at++) marks++;
    check(marks <= MAX_MARKS, "RX2006", "there are more than 2^21 commas and opening brackets");
    check(mbstowcs(NULL, text, 0) != (size_t)-1, "RX2002", "the text is not UTF-8");
    at = text, *json = parse_value(1);
    check(accept('\0') && json->kind == J_OBJECT, "RX2003", "this is not one JSON object");
    return json;
}

static Json *member(const Json *object, const char *key) {
    for (size_t i = 0; object && object->kind == J_OBJECT && i < object->count; i++)
        if (is(object->items[i].key, key)) return &object->items[i];
    return NULL;
}
static Json *need(const Json *object, const char *key, Kind kind) {
    Json *json = member(object, key);
    check(json && json->kind == kind, "RX2007", "the member %s is missing or of the wrong type", key);
    return json;
}
/* A text; one of the words, if there are any. */
static const char *need_text(const Json *object, const char *key, const char *words) {
    const char *text = need(object, key, J_STRING)->text;
    check(!words || is_one_of(text, words), "RX2007", "the member %s is none of: %s", key, words);
    return text;
}

static bool is_integer(const Json *json, int64_t least, int64_t most) {
    return json && json->integer && json->number >= (double)least && json->number <= (double)most;
}
static bool are_integers(const Json *list, int64_t least, int64_t most) {
    bool good = list->kind == J_LIST;
    for (size_t i = 0; good && i < list->count; i++) good = is_integer(&list->items[i], least, most);
    return good;
}
static uint64_t count_at(const Json *list, size_t i) { return (uint64_t)list->items[i].number; }
