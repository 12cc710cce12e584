/* The container (§2): the file is checked before libhdf5 sees it, links before they are followed, datasets
 * before they are read. libhdf5 takes memory for whatever a chunk makes, so chunks are tried out first. */
#pragma once
#include "basics.h"
#define H5_USE_110_API 1 /* newer releases of libhdf5 serve as well */
#include <hdf5.h>
#include <sys/stat.h>
#include <zlib.h>
enum { MAX_RANK = 8, MAX_CHUNK = 16 << 20 };
static hid_t file;
static uint64_t file_size;
static char **ext_paths; /* of the datasets under /ext, sorted */
static size_t ext_count;

/* Links come before what they lead to is looked at. */
static herr_t visit_link(hid_t root, const char *name, const H5L_info_t *link, void *none) {
    H5O_info_t info;
    (void)none;
    check(link->type == H5L_TYPE_HARD, "RX1001", "a link behind this is not a hard link");
    size_t plain = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.-/");
    check(!name[plain] && plain < 600, "RX1007", "a name is not of a-z 0-9 _ . -, or too long");
    sprintf(place, "/%s", name);
    bool known = H5Oget_info_by_name(root, name, &info, H5P_DEFAULT) >= 0;
    check(known && info.rc == 1, "RX1004", "the object cannot be read, or has several paths");
    if (info.type != H5O_TYPE_DATASET || strncmp(name, "ext/", 4) != 0) return 0;
    ext_paths = grow(ext_paths, ext_count, sizeof *ext_paths);
    ext_paths[ext_count++] = strdup(place);
    return 0;
}

/* Open the file, and nothing that it could name. */
static void open_file(const char *path) {
    struct stat status;
    uint8_t head[48];
    uint64_t base, end;
    FILE *stream = stat(path, &status) == 0 && S_ISREG(status.st_mode) ? fopen(path, "rb") : NULL;
    check(stream, "RX0106", "this is no file that can be opened");
    bool begins = fread(head, 1, sizeof head, stream) == sizeof head && !memcmp(head, "\x89HDF\r\n\x1a\n", 8);
    check(begins && fclose(stream) == 0, "RX0101", "the HDF5 signature is not at the beginning");
    memcpy(&base, head + 12, 8), memcpy(&end, head + 28, 8);
    file_size = (uint64_t)status.st_size;
    bool finished = head[8] == 2 || (head[8] == 3 && !(head[11] & 1));
    check(finished && head[9] == 8 && !base, "RX0104", "the superblock is an old one, or its writer died");
    check(end == file_size, end > file_size ? "RX0102" : "RX0103", "the file should have %lu bytes", end);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* we say ourselves what is wrong */
    H5PLset_loading_state(0);              /* plugins are code */
    file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    check(file >= 0, "RX0105", "libhdf5 cannot open the file");
    herr_t visited = H5Lvisit(file, H5_INDEX_NAME, H5_ITER_NATIVE, visit_link, NULL);
    check(visited >= 0, "RX0108", "the objects in this, or after it, cannot be listed");
    if (ext_count) qsort(ext_paths, ext_count, sizeof *ext_paths, compare_names);
    strcpy(place, "/");
}

enum { SHUFFLE = 1, DEFLATE = 2, FLETCHER32 = 4 }; /* filters of a dataset, in their order */

typedef struct {
    hid_t id, type, plist;
    const char *dtype; /* "text" of a fixed-length string */
    size_t size;       /* of an element */
    uint64_t count;
    int rank, filters;
    hsize_t shape[MAX_RANK];
    uint8_t *data; /* in C order, once it has been read; a zero follows */
} Dataset;

static hid_t small_float(size_t exponent_bits, size_t mantissa_bits, size_t bias) {
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(type, 15, mantissa_bits, exponent_bits, 0, mantissa_bits);
    H5Tset_size(type, 2), H5Tset_ebias(type, bias);
    return type;
}
/* The name of a type of §2, or "". */
static const char *dtype_of(hid_t type) {
    const char *const names[] = {"float16", "bfloat16", "float32", "float64", "int8", "int16",
                                 "int32", "int64", "uint8", "uint16", "uint32", "uint64"};
    const hid_t types[] = {small_float(5, 10, 15), small_float(8, 7, 127), H5T_IEEE_F32LE, H5T_IEEE_F64LE,
                           H5T_STD_I8LE, H5T_STD_I16LE, H5T_STD_I32LE, H5T_STD_I64LE,
                           H5T_STD_U8LE, H5T_STD_U16LE, H5T_STD_U32LE, H5T_STD_U64LE};
    for (size_t i = 0; i < 12; i++)
        if (H5Tequal(type, types[i]) > 0) return names[i];
    bool fixed = H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0;
    return fixed && H5Tget_strpad(type) != H5T_STR_SPACEPAD ? "text" : "";
}

/* An attribute of the object at `place`. */
static char *need_attribute(const char *name, const char *code) {
    check(H5Aexists_by_name(file, place, name, H5P_DEFAULT) > 0, code, "the attribute %s is missing", name);
    hid_t id = H5Aopen_by_name(file, place, name, H5P_DEFAULT, H5P_DEFAULT), type = H5Aget_type(id);
    bool scalar = H5Sget_simple_extent_type(H5Aget_space(id)) == H5S_SCALAR;
    check(scalar && is(dtype_of(type), "text"), "RX1042", "the attribute %s is not a fixed-length string", name);
    char *bytes = take(H5Tget_size(type), 1);
    check(H5Aread(id, type, bytes) >= 0, "RX0108", "the attribute %s cannot be read", name);
    return bytes;
}

/* Filters, shape and size. */
static void check_profile(Dataset *d) {
    hsize_t largest[H5S_MAX_RANK];
    hid_t space = H5Dget_space(d->id);
    for (int i = 0; i < H5Pget_nfilters(d->plist); i++) {
        size_t no_values = 0;
        H5Z_filter_t filter = H5Pget_filter2(d->plist, (unsigned)i, NULL, &no_values, NULL, 0, NULL, NULL);
        int bit = filter == H5Z_FILTER_SHUFFLE ? SHUFFLE : filter == H5Z_FILTER_DEFLATE ? DEFLATE : 0;
        if (filter == H5Z_FILTER_FLETCHER32) bit = FLETCHER32;
        check(bit > d->filters, "RX1013", "filters are not shuffle, deflate, fletcher32, in this order");
        d->filters |= bit;
    }
    Wide most = d->filters ? (Wide)1100 * file_size : file_size, bytes = d->size;
    d->rank = H5Sget_simple_extent_ndims(space);
    bool shaped = d->rank >= 0 && d->rank <= MAX_RANK && H5Sget_simple_extent_type(space) != H5S_NULL;
    check(shaped, "RX1033", "there is no shape, or one of more than 8 axes");
    H5Sget_simple_extent_dims(space, d->shape, largest);
    for (int i = 0; i < d->rank; bytes *= d->shape[i++]) {
        check(largest[i] == d->shape[i], "RX1022", "the dataset can grow");
        check(!bytes || d->shape[i] <= most / bytes, "RX1020", "it declares more than the file can hold");
    }
    d->count = (uint64_t)bytes / d->size;
}

/* Every chunk makes exactly its size. Libhdf5 checks the checksums. */
static void check_chunks(const Dataset *d) {
    hsize_t chunk[MAX_RANK], corner[MAX_RANK] = {0}, expected = 1, found = 0, length = 0;
    uint32_t skipped = 0;
    size_t size = d->size, tail = d->filters & FLETCHER32 ? 4 : 0;
    check(H5Pget_chunk(d->plist, MAX_RANK, chunk) == d->rank, "RX1014", "chunks are of another rank");
    for (int i = 0; i < d->rank; size *= chunk[i++]) {
        check(chunk[i] && chunk[i] <= MAX_CHUNK / size, "RX1014", "a chunk has more than 16 MiB");
        expected *= d->shape[i] / chunk[i] + (d->shape[i] % chunk[i] > 0);
    }
    size_t room = 2 * size + 64; /* nothing becomes as large when it is deflated */
    uint8_t *stored = take(room, 1), *out = take(size, 1);
    H5Dget_num_chunks(d->id, H5Dget_space(d->id), &found);
    check(found == expected, "RX1015", "some chunks are not there");
    for (hsize_t i = 0; i < expected; i++) {
        herr_t known = H5Dget_chunk_storage_size(d->id, corner, &length);
        check(known >= 0 && length > tail && length <= room, "RX1015", "a chunk is not there, or of an odd size");
        herr_t read = H5Dread_chunk(d->id, H5P_DEFAULT, corner, &skipped, stored);
        check(read >= 0 && !skipped, "RX1021", "a chunk cannot be read, or skips a filter");
        uLong used = length - tail, made = d->filters & DEFLATE ? size + 1 : used;
        int state = d->filters & DEFLATE ? uncompress2(out, &made, stored, &used) : Z_OK;
        bool exact = state == Z_OK && made == size && used == length - tail;
        check(exact, "RX1017", "a chunk does not decode to just its size");
        for (int k = d->rank; k-- > 0 && (corner[k] += chunk[k]) >= d->shape[k];) corner[k] = 0;
    }
    free(stored), free(out);
}

/* Check the dataset at `place`, then read it all. The data are the caller's. */
static Dataset read_dataset(const char *code_if_missing) {
    Dataset d = {.id = H5Dopen2(file, place, H5P_DEFAULT)};
    check(d.id >= 0, code_if_missing, "the dataset is missing");
    d.type = H5Dget_type(d.id), d.plist = H5Dget_create_plist(d.id);
    bool here = H5Pget_external_count(d.plist) == 0 && H5Pget_layout(d.plist) != H5D_VIRTUAL;
    check(d.type >= 0 && here, "RX1011", "the data lie in another file or dataset, or cannot be read");
    d.dtype = dtype_of(d.type), d.size = H5Tget_size(d.type);
    check(*d.dtype && !H5Tcommitted(d.type), "RX1031", "the type is no little-endian number or fixed-length string");
    check_profile(&d);
    char *fill = take(2 * d.size, 1);
    H5Pget_fill_value(d.plist, d.type, fill); /* zeros, if none is set */
    check(!memcmp(fill, fill + d.size, d.size), "RX1023", "the fill value is not zero");
    if (H5Pget_layout(d.plist) == H5D_CHUNKED) check_chunks(&d);
    else check(H5Dget_storage_size(d.id) == d.count * d.size, "RX1015", "the data are not there");
    d.data = take(d.count, d.size);
    herr_t read = d.count ? H5Dread(d.id, d.type, H5S_ALL, H5S_ALL, H5P_DEFAULT, d.data) : 0;
    check(read >= 0, "RX1019", "the data do not decode");
    H5Dclose(d.id);
    return d;
}
